// The scheduler on real threads. This machine may be busy, so nothing here asks for an upper bound on how
// late something is; shares of what was run, and "never more than", hold on any.
#include "vmm/sched/scheduler.h"

#include <array>
#include <chrono>
#include <thread>
#include <vector>

#include "tests/catch.h"
#include "tests/sched/spinner.h"
#include "vmm/sched/io_account.h"
#include "vmm/sched/vcpu_times.h"

using namespace carrel;
using namespace carrel::sched;

namespace {

void sleep_for(Nanoseconds time) {
    std::this_thread::sleep_for(std::chrono::nanoseconds(time));
}

std::unique_ptr<Scheduler> scheduler_of(uint32_t cpus, Policy policy = Policy::kWeightedFair) {
    auto scheduler = Scheduler::create({.cpus = cpus, .policy = policy});
    REQUIRE(scheduler.ok());
    return std::move(*scheduler);
}

CpuQuota capped(CpuShare cap) {
    CpuQuota quota;
    quota.cap = cap;
    return quota;
}

// What the spinners use from now on.
template <size_t N>
std::array<Nanoseconds, N> used_in(Nanoseconds time, std::array<std::unique_ptr<Spinner>, N>& spinners) {
    std::array<Nanoseconds, N> used{};
    for (size_t i = 0; i < N; ++i) used[i] = -spinners[i]->cpu();
    sleep_for(time);
    for (size_t i = 0; i < N; ++i) used[i] += spinners[i]->cpu();
    return used;
}

}  // namespace

TEST_CASE("scheduler: a capped vCPU gets its share of a CPU, and not more") {
    const auto scheduler = scheduler_of(2);
    const CpuShare cap = GENERATE(kWholeCpu / 20, kWholeCpu / 4, kWholeCpu / 2);
    const GuestId guest = scheduler->add_guest(capped(cap));
    {
        Spinner spinner(*scheduler, guest);
        DirectOpener opener;
        const ThreadTimes thread = ThreadTimes::open(opener, spinner.thread()).value();
        // This machine may be busy: a second in which the host gave it its CPU is looked for.
        for (int tries = 1;; ++tries) {
            const auto from = thread.read().value();
            const Nanoseconds before = monotonic_time();
            sleep_for(kSecond);
            const auto to = thread.read().value();
            const Nanoseconds due = (monotonic_time() - before) * cap / kWholeCpu;
            const Nanoseconds used = to.run - from.run, waited = to.waited - from.waited;
            CHECK(used <= due + 10 * kMillisecond * cap / kWholeCpu + kMillisecond);
            CHECK(used + waited >= due * 9 / 10);
            if (waited > due / 4 && tries < 10) continue;
            CHECK(used >= due / 2);
            break;
        }
    }
    scheduler->remove_guest(guest);
}

TEST_CASE("scheduler: a vCPU's time is what it ran, waited for quota, and waited for a host CPU") {
    const auto scheduler = scheduler_of(2);
    const GuestId guest = scheduler->add_guest(capped(kWholeCpu / 4));
    DirectOpener opener;
    {
        Spinner spinner(*scheduler, guest);
        sleep_for(20 * kMillisecond);
        const ThreadTimes thread = ThreadTimes::open(opener, spinner.thread()).value();
        // All at one moment, or again: this thread may have to wait in the middle.
        const auto sample = [&] {
            for (;;) {
                const Nanoseconds before = monotonic_time();
                const ThreadTimes::Values values = thread.read().value();
                const VcpuTimes times{
                    .wall = before, .run = values.run, .quota = spinner.waited(), .host_cpu = values.waited};
                if (monotonic_time() - before < 100 * kMicrosecond) return times;
            }
        };
        const VcpuTimes from = sample();
        sleep_for(kSecond);
        const VcpuTimes times = sample() - from;
        CHECK(times.quota > 0);
        // A wait for a host CPU is counted when it ends; this one may be in the middle of a long one.
        CHECK(times.residual() < times.wall / 20);
        CHECK(times.residual() > -times.wall / 200);
    }
    scheduler->remove_guest(guest);
}

TEST_CASE("scheduler: a guest without a cap isn't held") {
    const auto scheduler = scheduler_of(2);
    const GuestId guest = scheduler->add_guest(CpuQuota{});
    {
        Spinner spinner(*scheduler, guest);
        sleep_for(100 * kMillisecond);
        const Nanoseconds waited = spinner.waited();
        sleep_for(300 * kMillisecond);
        CHECK(spinner.waited() == waited);
    }
    scheduler->remove_guest(guest);
}

TEST_CASE("scheduler: guests that contend for one CPU share it by weight") {
    const auto scheduler = scheduler_of(1);
    std::array<GuestId, 4> guests{};
    std::array<std::unique_ptr<Spinner>, 4> spinners;
    for (uint32_t i = 0; i < guests.size(); ++i) {
        CpuQuota quota;
        quota.weight = 100u << i;
        guests[i] = scheduler->add_guest(quota);
        spinners[i] = std::make_unique<Spinner>(*scheduler, guests[i]);
    }
    sleep_for(100 * kMillisecond);
    const auto used = used_in(3 * kSecond, spinners);
    const Nanoseconds all = used[0] + used[1] + used[2] + used[3];
    INFO(scheduler->text());
    REQUIRE(all > 0);
    for (size_t i = 0; i < used.size(); ++i) {
        const double share = static_cast<double>(used[i]) / static_cast<double>(all);
        CHECK(share == Approx(static_cast<double>(1u << i) / 15).margin(0.02));
    }
    for (auto& spinner : spinners) spinner.reset();
    for (const GuestId guest : guests) scheduler->remove_guest(guest);
}

TEST_CASE("scheduler: a new cap holds at once, and its removal too") {
    const auto scheduler = scheduler_of(2);
    const GuestId guest = scheduler->add_guest(CpuQuota{});
    {
        Spinner spinner(*scheduler, guest);
        sleep_for(50 * kMillisecond);
        scheduler->set_quota(guest, capped(kWholeCpu / 10));
        sleep_for(20 * kMillisecond);  // two periods
        const Nanoseconds before = spinner.cpu();
        const Nanoseconds from = monotonic_time();
        sleep_for(500 * kMillisecond);
        CHECK(spinner.cpu() - before <= (monotonic_time() - from) / 10 + 2 * kMillisecond);
        scheduler->set_quota(guest, CpuQuota{});
        sleep_for(20 * kMillisecond);
        const Nanoseconds waited = spinner.waited();
        sleep_for(200 * kMillisecond);
        CHECK(spinner.waited() == waited);
    }
    scheduler->remove_guest(guest);
}

TEST_CASE("scheduler: who halts leaves the CPU to others, and comes back") {
    const auto scheduler = scheduler_of(1);
    const GuestId a = scheduler->add_guest(CpuQuota{});
    const GuestId b = scheduler->add_guest(CpuQuota{});
    {
        std::array<std::unique_ptr<Spinner>, 2> spinners{std::make_unique<Spinner>(*scheduler, a),
                                                         std::make_unique<Spinner>(*scheduler, b)};
        spinners[0]->halt(true);
        sleep_for(100 * kMillisecond);
        const Nanoseconds waited = spinners[1]->waited();
        sleep_for(500 * kMillisecond);
        CHECK(spinners[1]->waited() - waited < 100 * kMillisecond);
        spinners[0]->halt(false);
        sleep_for(100 * kMillisecond);
        const auto used = used_in(kSecond, spinners);
        CHECK(static_cast<double>(used[0]) == Approx(static_cast<double>(used[1])).epsilon(0.1));
    }
    scheduler->remove_guest(a);
    scheduler->remove_guest(b);
}

TEST_CASE("scheduler: a capped vCPU that halts comes back, again and again") {
    const auto scheduler = scheduler_of(2);
    const GuestId guest = scheduler->add_guest(capped(kWholeCpu / 2));
    {
        Spinner spinner(*scheduler, guest);
        for (int round = 0; round < 100; ++round) {
            spinner.halt(true);
            sleep_for(3 * kMillisecond);
            spinner.halt(false);
            const Nanoseconds before = spinner.cpu(), begin = monotonic_time();
            while (spinner.cpu() - before < kMillisecond && monotonic_time() - begin < 10 * kSecond)
                sleep_for(kMillisecond / 2);
            REQUIRE(spinner.cpu() - before >= kMillisecond);
        }
    }
    scheduler->remove_guest(guest);
}

TEST_CASE("scheduler: guests come and go while others run") {
    const auto scheduler = scheduler_of(2);
    const GuestId stays = scheduler->add_guest(capped(kWholeCpu / 5));
    {
        Spinner spinner(*scheduler, stays);
        const Nanoseconds from = monotonic_time();
        for (int i = 0; i < 100; ++i) {
            const GuestId guest = scheduler->add_guest(capped(kWholeCpu / 10));
            {
                const Spinner one(*scheduler, guest);
                const Spinner other(*scheduler, guest);
                sleep_for(kMillisecond);
            }
            scheduler->remove_guest(guest);
            if (i % 10 == 0) scheduler->set_policy(static_cast<Policy>(i / 10 % 5));
            (void)scheduler->text();
        }
        CHECK(spinner.cpu() <= (monotonic_time() - from) / 5 + 4 * kMillisecond);
    }
    scheduler->remove_guest(stays);
}

TEST_CASE("scheduler: what is done for a guest elsewhere comes out of its cap") {
    const auto scheduler = scheduler_of(2);
    const GuestId guest = scheduler->add_guest(capped(kWholeCpu / 2));
    IoAccount account(*scheduler, guest);
    {
        Spinner spinner(*scheduler, guest);
        sleep_for(50 * kMillisecond);
        const Nanoseconds from = monotonic_time();
        const Nanoseconds before = spinner.cpu();
        Nanoseconds charged = 0;
        for (int i = 0; i < 200; ++i) {  // 1 ms of each 2, were it not for the slice of I/O
            if (account.held_until() == 0) {
                account.charge(kMillisecond);
                charged += kMillisecond;
            }
            sleep_for(2 * kMillisecond);
        }
        const Nanoseconds wall = monotonic_time() - from;
        CHECK(charged > 0);
        CHECK(charged <= wall / 2 / 8 * 3);  // an eighth, and what went past it
        CHECK(spinner.cpu() - before + charged <= wall / 2 + 7 * kMillisecond);
    }
    account.close();
    account.charge(kSecond);
    scheduler->remove_guest(guest);
}

TEST_CASE("scheduler: one that stands still leaves its CPU to the others, whether it ran or waited") {
    const auto scheduler = scheduler_of(1);
    const GuestId guests[] = {scheduler->add_guest({}), scheduler->add_guest({})};
    {
        Spinner stands(*scheduler, guests[0]), goes_on(*scheduler, guests[1]);
        // However busy this machine is.
        const auto runs_on = [](Spinner& spinner) {
            const Nanoseconds before = spinner.cpu();
            const Nanoseconds deadline = monotonic_time() + 20 * kSecond;
            while (spinner.cpu() == before && monotonic_time() < deadline) sleep_for(kMillisecond);
            return spinner.cpu() != before;
        };
        for (int i = 0; i < 40; ++i) {
            sleep_for(5 * kMillisecond + i * 100 * kMicrosecond);
            stands.step_aside(true);
            while (!stands.is_aside()) sleep_for(kMillisecond);
            const Nanoseconds before = stands.cpu();
            sleep_for(5 * kMillisecond);
            REQUIRE(runs_on(goes_on));
            REQUIRE(runs_on(goes_on));
            REQUIRE(stands.cpu() == before);
            stands.step_aside(false);
        }
        CHECK(runs_on(stands));
    }
    for (const GuestId guest : guests) scheduler->remove_guest(guest);
}
