// PolicyCore, call by call: what a driver sees of leases, recalls, budgets and events.
#include "vmm/sched/policy_core.h"

#include <vector>

#include "tests/catch.h"

using namespace carrel;
using namespace carrel::sched;

namespace {

constexpr Nanoseconds kMs = kMillisecond;

CpuQuota cap(CpuShare percent) {
    CpuQuota quota;
    quota.cap = percent * kWholeCpu / 100;
    return quota;
}

PolicyCore::Options on_cpus(uint32_t cpus, Policy policy = Policy::kWeightedFair) {
    PolicyCore::Options options;
    options.cpus = cpus;
    options.policy = policy;
    return options;
}

VcpuId spinner(PolicyCore& core, const CpuQuota& quota = {}) {
    const VcpuId vcpu = core.add_vcpu(core.add_guest(quota, 0), 0);
    core.wake(vcpu, 0, 0);
    return vcpu;
}

}  // namespace

TEST_CASE("who is alone and has no cap gets a lease without end, and nothing is due") {
    PolicyCore core(on_cpus(1));
    const VcpuId vcpu = spinner(core);
    const auto lease = core.next_grant(0);
    REQUIRE(lease);
    CHECK(lease->vcpu == vcpu);
    CHECK(lease->length == Lease::kUnlimited);
    CHECK_FALSE(core.next_grant(0));
    CHECK_FALSE(core.next_recall(0));
    CHECK_FALSE(core.next_event());
    CHECK_FALSE(core.contended());
}

TEST_CASE("a lease without end is recalled when it had its slice and another waits") {
    PolicyCore core(on_cpus(1));
    const VcpuId first = spinner(core);
    REQUIRE(core.next_grant(0));
    const GuestId guest = core.add_guest({}, kMs);
    const VcpuId second = core.add_vcpu(guest, kMs);
    SECTION("under round-robin after the slice") {
        core.set_policy(Policy::kRoundRobin, 0);
        core.wake(second, 0, kMs);
        CHECK_FALSE(core.next_recall(kMs));
        REQUIRE(core.next_event() == 2 * kMs);
        CHECK(core.next_recall(2 * kMs) == first);
        CHECK_FALSE(core.next_recall(2 * kMs));
    }
    SECTION("under weighted fair at once, since who wakes is behind") {
        core.expire(first, 5 * kMs, 5 * kMs);
        REQUIRE(core.next_grant(5 * kMs));
        core.wake(second, 0, 6 * kMs);
        CHECK(core.next_recall(6 * kMs) == first);
    }
    SECTION("under first come, first served never") {
        core.set_policy(Policy::kFcfs, 0);
        core.wake(second, 0, kMs);
        CHECK_FALSE(core.next_recall(kSecond));
        CHECK_FALSE(core.next_event());
    }
}

TEST_CASE("a capped guest gets its budget, then nothing until its next period") {
    PolicyCore core(on_cpus(1));
    const VcpuId vcpu = spinner(core, cap(25));
    // Of the first period one eighth is I/O's; what I/O leaves goes to the vCPUs of the next.
    REQUIRE(core.next_grant(0)->length == 2'187'500);
    core.expire(vcpu, 2'187'500, 3 * kMs);
    CHECK_FALSE(core.next_grant(3 * kMs));
    REQUIRE(core.next_event() == 10 * kMs);
    REQUIRE(core.next_grant(10 * kMs)->length == 2'500'000);
    core.expire(vcpu, 2'540'000, 13 * kMs);  // 40 us late
    CHECK(core.guest(GuestId{0}, 13 * kMs).budget == -40'000);
    REQUIRE(core.next_grant(20 * kMs)->length == 2'460'000);
}

TEST_CASE("a debt of a late stop costs no turn, and a small cap saves up for a lease") {
    PolicyCore core(on_cpus(1));
    SECTION("5 %: half a millisecond each period") {
        const VcpuId vcpu = spinner(core, cap(5));
        CHECK(core.next_grant(0)->length == 437'500);
        core.expire(vcpu, 473'500, kMs);
        CHECK_FALSE(core.next_grant(kMs));
        CHECK(core.next_grant(10 * kMs)->length == 464'000);
    }
    SECTION("1 %: half a millisecond each five") {
        const VcpuId vcpu = spinner(core, cap(1));
        CHECK_FALSE(core.next_grant(0));
        const auto due = core.next_event();
        REQUIRE(due == 40 * kMs);
        const auto lease = core.next_grant(*due);
        REQUIRE(lease);
        CHECK(lease->length == 487'500);
        core.expire(vcpu, lease->length, *due + kMs);
        CHECK(core.next_event() == 90 * kMs);
        CHECK(core.next_grant(90 * kMs)->length == 500'000);
    }
}

TEST_CASE("siblings share the pool, and take turns where it is too small for all") {
    PolicyCore core(on_cpus(4));
    const GuestId guest = core.add_guest(cap(10), 0);  // 1 ms a period: two leases
    std::vector<VcpuId> vcpus;
    for (int i = 0; i < 4; ++i) vcpus.push_back(core.add_vcpu(guest, 0));
    for (const VcpuId vcpu : vcpus) core.wake(vcpu, 0, 0);
    std::vector<uint32_t> order;
    for (Nanoseconds now = 0; now < 80 * kMs; now += 10 * kMs)
        while (const auto lease = core.next_grant(now)) {
            order.push_back(static_cast<uint32_t>(lease->vcpu));
            core.expire(lease->vcpu, lease->length, now + kMs);
        }
    CHECK(order == std::vector<uint32_t>{0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3});
}

TEST_CASE(
    "an uncapped guest that gets a cap has its lease recalled, and what it used before isn't held against "
    "it") {
    PolicyCore core(on_cpus(1));
    const VcpuId vcpu = spinner(core);
    REQUIRE(core.next_grant(0)->length == Lease::kUnlimited);
    core.set_quota(GuestId{0}, cap(50), 5 * kSecond);
    CHECK(core.next_recall(5 * kSecond) == vcpu);
    CHECK_FALSE(core.next_recall(5 * kSecond));
    core.expire(vcpu, 5 * kSecond + 20'000, 5 * kSecond + 20'000);
    CHECK(core.next_grant(5 * kSecond + 20'000)->length == 4'375'000);
}
