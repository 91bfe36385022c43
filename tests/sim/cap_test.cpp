// Caps in virtual time, with leases that end late as on real machines: how far off is the share, and how long
// is a vCPU held?
#include <algorithm>
#include <cmath>

#include "tests/sim/scenarios.h"

using namespace carrel;
using namespace carrel::sim;

namespace {

constexpr Nanoseconds kLate = 40 * kMicrosecond;
constexpr std::array<double, 3> kMostOff = {0.8, 0.08, 0.005};  // percentage points: 100 ms, 1 s, 10 s

double off(const WindowError& error) {
    return std::max(error.over, error.under);
}

void check_windows(const GuestResult& guest) {
    for (size_t i = 0; i < kWindows.size(); ++i) {
        REQUIRE(guest.window_errors[i]);
        CAPTURE(kWindows[i], guest.window_errors[i]->over, guest.window_errors[i]->under);
        CHECK(off(*guest.window_errors[i]) <= kMostOff[i]);
    }
}

Nanoseconds longest_hold(double percent, uint32_t vcpus, Nanoseconds period) {
    const double budget = percent / 100 * static_cast<double>(period);
    const double turns = std::max(1.0, std::ceil(vcpus * 0.5e6 / budget - 1e-9));
    return static_cast<Nanoseconds>(turns * static_cast<double>(period));
}

}  // namespace

TEST_CASE("a spinner's share is its cap in every window") {
    const auto policy = GENERATE(from_range(kPolicies));
    const double percent = GENERATE(5.0, 10.0, 25.0, 50.0, 90.0);
    const Nanoseconds late = GENERATE(Nanoseconds{0}, kLate);
    CAPTURE(policy_name(policy), percent, late);
    Scenario scenario = on_cpus(1, policy, 31 * kSecond);
    scenario.reality.late_stop = late;
    scenario.guests = {capped_hog(percent)};
    check_windows(simulate(scenario).guests[0]);
}

TEST_CASE("several vCPUs share one cap, on as many CPUs or fewer") {
    const double percent = GENERATE(25.0, 50.0, 150.0);
    const uint32_t cpus = GENERATE(2U, 4U);
    CAPTURE(percent, cpus);
    Scenario scenario = on_cpus(cpus, Policy::kWeightedFair, 31 * kSecond);
    scenario.reality.late_stop = kLate;
    scenario.guests = {capped_hog(percent, 4)};
    check_windows(simulate(scenario).guests[0]);
}

TEST_CASE("no vCPU of a capped guest is held longer than promised") {
    const double percent = GENERATE(1.0, 5.0, 10.0, 20.0, 25.0, 50.0, 90.0);
    const uint32_t vcpus = GENERATE(1U, 2U, 3U, 4U, 8U);
    const Nanoseconds late = GENERATE(Nanoseconds{0}, kLate);
    const Nanoseconds period = 10 * kMs;
    CAPTURE(percent, vcpus, late);
    Scenario scenario = on_cpus(8, Policy::kWeightedFair, 5 * kSecond);
    scenario.reality.late_stop = late;
    scenario.guests = {capped_hog(percent, vcpus)};
    const GuestResult guest = simulate(scenario).guests[0];
    // The lease is at least three quarters of half a millisecond; of the first period one eighth is I/O's.
    const Nanoseconds lease = std::max<Nanoseconds>(
        375 * kMicrosecond, static_cast<Nanoseconds>(percent / 100 * 1e7 / vcpus * 7 / 8));
    CHECK(guest.longest_wait <= longest_hold(percent, vcpus, period) - lease + 50 * kMicrosecond);
}

TEST_CASE("the least caps hold, too: within one lease") {
    const double percent = GENERATE(0.1, 1.0, 2.0, 3.0, 4.0);
    CAPTURE(percent);
    Scenario scenario = on_cpus(1, Policy::kWeightedFair, 120 * kSecond);
    scenario.reality.late_stop = kLate;
    scenario.guests = {capped_hog(percent)};
    const Outcome outcome = simulate(scenario);
    CHECK(share(outcome, 0) == Approx(percent).epsilon(0.01));
    CHECK(off(*outcome.guests[0].window_errors[1]) <= 0.1);
}

TEST_CASE("vCPUs and I/O together stay within the cap over any second") {
    Scenario scenario = on_cpus(2, Policy::kWeightedFair, 20 * kSecond);
    ScenarioGuest guest = capped_hog(40, 2);
    guest.workload = {
        .kind = Workload::Kind::kIo, .burst = 3 * kMs, .pause = 100 * kMicrosecond, .io_cost = 300'000};
    scenario.guests = {guest};
    const Outcome outcome = simulate(scenario);
    const GuestResult& got = outcome.guests[0];
    CHECK(got.used_io > 0);
    const double all = static_cast<double>(got.used + got.used_io) / static_cast<double>(outcome.end);
    CHECK(all <= 0.4 + 0.0005);
    CHECK(all >= 0.39);
}

TEST_CASE("I/O that spends the budget leaves the vCPUs the rest, and what it leaves they get") {
    Scenario scenario = on_cpus(1, Policy::kWeightedFair, 10 * kSecond);
    scenario.guests = {capped_hog(40)};
    Simulator simulator(scenario);
    // 10 % of a CPU for I/O: 5 % is its part of the cap, the rest comes from the pool.
    for (Nanoseconds now = 10 * kMs; now < scenario.until; now += 10 * kMs) {
        simulator.run_until(now + kMs);
        simulator.core().charge_io(sched::GuestId{0}, kMs, now + kMs);
    }
    CHECK(share(simulator.run(), 0) == Approx(30).margin(0.1));
}

TEST_CASE("a changed cap holds within two periods") {
    const double before = GENERATE(0.0, 5.0, 50.0, 90.0);
    const double after = GENERATE(5.0, 25.0, 90.0);
    CAPTURE(before, after);
    Scenario scenario = on_cpus(1, Policy::kWeightedFair, 20 * kSecond);
    scenario.guests = {before > 0 ? capped_hog(before) : hog()};
    Simulator simulator(scenario);
    const Nanoseconds change = kSecond + 3 * kMs;
    simulator.run_until(change);
    simulator.core().set_quota(sched::GuestId{0}, capped_hog(after).quota, change);
    const Nanoseconds from = change + 20 * kMs;
    simulator.run_until(from);
    const Nanoseconds used = simulator.used(0);
    simulator.run_until(from + kSecond);
    CHECK(static_cast<double>(simulator.used(0) - used) / 1e7 == Approx(after).margin(0.08));
}

TEST_CASE("a cap that is set again and again gives nothing away") {
    Scenario scenario = on_cpus(1, Policy::kWeightedFair, 5 * kSecond);
    scenario.guests = {capped_hog(20)};
    Simulator simulator(scenario);
    const Nanoseconds step = GENERATE(100 * kMicrosecond, kMs, 7 * kMs);
    for (Nanoseconds now = 0; now < scenario.until; now += step) {
        simulator.run_until(now);
        simulator.core().set_quota(sched::GuestId{0}, capped_hog(now / step % 2 != 0 ? 20 : 10).quota, now);
    }
    CHECK(share(simulator.run(), 0) <= 20.1);
}

TEST_CASE("saved-up budget is used at once, but no more than was allowed") {
    Scenario scenario = on_cpus(1, Policy::kWeightedFair, 10 * kSecond);
    ScenarioGuest guest = capped_hog(10);
    guest.workload = {.kind = Workload::Kind::kPeriodic, .burst = 6 * kMs, .pause = 100 * kMs};
    scenario.guests = {guest, guest};
    scenario.guests[1].quota.burst = 5 * kMs;
    const Outcome outcome = simulate(scenario);
    CHECK(outcome.guests[0].turnaround / kMs / 100 >= 45);  // six periods
    CHECK(outcome.guests[1].turnaround / kMs / 100 <= 13);
    CHECK(outcome.guests[1].window_errors[1]->over <= 0.5 + 0.1);
}
