// Where periods begin, and that as much comes in any ten seconds as in any other.
#include "vmm/sched/period_grid.h"

#include <algorithm>
#include <set>
#include <vector>

#include "tests/catch.h"
#include "vmm/sched/policy_core.h"

using namespace carrel;
using namespace carrel::sched;

namespace {

constexpr Nanoseconds kPeriod = 10 * kMillisecond;

// What a vCPU that always wants to run gets under a cap, as (begin, end) of its leases.
std::vector<std::pair<Nanoseconds, Nanoseconds>> leases_under(CpuShare cap, Nanoseconds until) {
    PolicyCore::Options options;
    options.in_step = false;
    PolicyCore core(options);
    CpuQuota quota;
    quota.cap = cap;
    const VcpuId vcpu = core.add_vcpu(core.add_guest(quota, 0), 0);
    core.wake(vcpu, 0, 0);
    std::vector<std::pair<Nanoseconds, Nanoseconds>> leases;
    for (Nanoseconds now = 0; now < until;) {
        if (const auto lease = core.next_grant(now)) {
            leases.emplace_back(now, now + lease->length);
            now += lease->length;
            core.expire(vcpu, lease->length, now);
        } else {
            now = core.next_event().value();
        }
    }
    return leases;
}

}  // namespace

TEST_CASE("periods: in step they are as long as was asked") {
    PeriodGrid grid(kPeriod, true, 7);
    for (Nanoseconds k = 0; k < 3000; ++k) {
        REQUIRE(grid.begin() == 7 + k * kPeriod);
        REQUIRE(grid.length() == kPeriod);
        grid.advance(grid.end());
    }
    grid.advance(7 + 123'456 * kPeriod + 1);
    CHECK(grid.begin() == 7 + 123'456 * kPeriod);
}

TEST_CASE("periods: out of step they pass along a guest's tick, and come back") {
    const auto period = GENERATE(kMillisecond, kPeriod, kSecond);
    PeriodGrid grid(period, false, 0);
    std::set<Nanoseconds> phases;  // against a fifth of it: 10 ms and a tick of 4 ms agree on 2 ms
    for (int k = 0; k < 1000; ++k) {
        REQUIRE(std::abs(grid.length() - period) <= period / 2500);
        phases.insert(grid.begin() % (period / 5) / (period / 250));
        PeriodGrid skipping(period, false, 0);
        skipping.advance(grid.begin() + k % 3 * (grid.length() - 1) / 2);
        REQUIRE(skipping.begin() == grid.begin());
        REQUIRE(skipping.end() == grid.end());
        grid.advance(grid.end());
    }
    CHECK(phases.size() == 50);
    CHECK(grid.begin() == 1000 * period + period / 50);
}

TEST_CASE("periods: no 10 s differ by more than the table allows, nor do longer times from the cap") {
    const auto percent = GENERATE(1, 5, 10, 25, 50, 90);
    constexpr Nanoseconds kUntil = 120 * kSecond, kWindow = 10 * kSecond;
    const CpuShare cap = percent * kWholeCpu / 100;
    const auto leases = leases_under(cap, kUntil);
    const auto used = [&leases](Nanoseconds until) {
        Nanoseconds sum = 0;
        for (const auto& [begin, end] : leases)
            if (begin < until) sum += std::min(end, until) - begin;
        return sum;
    };
    const Nanoseconds fair = kWindow / 100 * percent;
    for (Nanoseconds from = kSecond; from + kWindow <= kUntil; from += 997 * kMillisecond)
        REQUIRE(std::abs(used(from + kWindow) - used(from) - fair) <= kWindow / 100 / 200);  // 0.005 points
    CHECK(std::abs(used(kUntil) - kUntil / 100 * percent) <= kPeriod);
}

TEST_CASE("the end of a lease is quiet where nothing can follow from it before the next period") {
    PolicyCore::Options options;
    options.cpus = 2;
    PolicyCore core(options);
    CpuQuota quota;
    quota.cap = kWholeCpu / 4;
    const GuestId guest = core.add_guest(quota, 0);
    const VcpuId vcpu = core.add_vcpu(guest, 0);
    core.wake(vcpu, 0, 0);
    REQUIRE(core.next_grant(0));
    CHECK(core.quiet_until(vcpu) == kPeriod);
    SECTION("not where somebody waits for its CPU") {
        for (int i = 0; i < 2; ++i) core.wake(core.add_vcpu(core.add_guest({}, 0), 0), 0, 0);
        REQUIRE(core.next_grant(0));
        CHECK_FALSE(core.quiet_until(vcpu));
    }
    SECTION("not where its guest has some budget left") {
        core.block(vcpu, kMillisecond / 2, kMillisecond);
        const VcpuId other = core.add_vcpu(guest, kMillisecond);
        core.wake(vcpu, 0, kMillisecond);
        core.wake(other, 0, kMillisecond);
        const auto lease = core.next_grant(kMillisecond);
        REQUIRE(lease);
        CHECK_FALSE(core.quiet_until(lease->vcpu));
    }
    SECTION("not without a cap") {
        core.set_quota(guest, {}, 0);
        CHECK_FALSE(core.quiet_until(vcpu));
    }
}
