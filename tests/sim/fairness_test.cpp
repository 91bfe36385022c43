// Who gets what where CPUs are short.
#include <algorithm>
#include <numeric>

#include "tests/sim/scenarios.h"
#include "vmm/sim/random.h"

using namespace carrel;
using namespace carrel::sim;

namespace {

// What each is due, in percent of one CPU: min(most_i, λ·weight_i), with λ such that all CPUs are used.
std::vector<double> water_fill(double cpus, const std::vector<double>& most,
                               const std::vector<double>& weights) {
    const double wanted = std::accumulate(most.begin(), most.end(), 0.0);
    double low = 0, high = 1e9;
    for (int step = 0; step < 200; ++step) {
        const double level = (low + high) / 2;
        double sum = 0;
        for (size_t i = 0; i < most.size(); ++i) sum += std::min(most[i], level * weights[i]);
        (sum < std::min(cpus * 100, wanted) ? low : high) = level;
    }
    std::vector<double> due;
    for (size_t i = 0; i < most.size(); ++i) due.push_back(std::min(most[i], high * weights[i]));
    return due;
}

}  // namespace

TEST_CASE("eight equal guests on one CPU, and on two, are served alike") {
    const uint32_t cpus = GENERATE(1U, 2U);
    const auto policy = GENERATE(Policy::kWeightedFair, Policy::kRoundRobin, Policy::kPriority);
    Scenario scenario = on_cpus(cpus, policy, 10 * kSecond);
    scenario.reality.late_stop = 40 * kMicrosecond;
    scenario.guests = {hog()};
    scenario.guests[0].count = 8;
    const Outcome outcome = simulate(scenario);
    CHECK(outcome.jain >= 0.9999);
    // Nobody waits longer than all the others' slices.
    for (const GuestResult& guest : outcome.guests)
        CHECK(guest.longest_wait <= (8 - cpus) * (2 * kMs + 40 * kMicrosecond) / cpus + 3 * kMs);
}

TEST_CASE("weights 1:2:4:8 are met within half a percent") {
    const uint32_t scale = GENERATE(1U, 100U, 1250U);
    const Nanoseconds late = GENERATE(Nanoseconds{0}, 40 * kMicrosecond);
    Scenario scenario = on_cpus(1, Policy::kWeightedFair, 20 * kSecond);
    scenario.reality.late_stop = late;
    for (const uint32_t weight : {1U, 2U, 4U, 8U}) scenario.guests.push_back(weighted_hog(weight * scale));
    const Outcome outcome = simulate(scenario);
    for (size_t i = 0; i < 4; ++i) CHECK(share(outcome, i) == Approx(100.0 * (1 << i) / 15).epsilon(0.005));
}

TEST_CASE("weighted fair with caps and many vCPUs gives what water-filling says") {
    const uint64_t seed = GENERATE(range(1u, 25u));
    sim::Random random(seed);
    const auto cpus = static_cast<uint32_t>(1 + random.next() % 4);
    Scenario scenario = on_cpus(cpus, Policy::kWeightedFair, 20 * kSecond);
    // With one that takes every CPU it gets: all are always busy.
    scenario.guests = {weighted_hog(100, cpus)};
    std::vector<double> most = {100.0 * cpus};
    std::vector<double> weights = {100};
    const size_t count = 2 + random.next() % 6;
    for (size_t i = 1; i < count; ++i) {
        const auto vcpus = static_cast<uint32_t>(1 + random.next() % 4);
        ScenarioGuest guest = weighted_hog(static_cast<uint32_t>(50 + random.next() % 400), vcpus);
        most.push_back(100.0 * std::min(vcpus, cpus));
        if (random.next() % 3 == 0) {
            const auto percent = static_cast<double>(10 + random.next() % 150);
            guest.quota.cap = static_cast<CpuShare>(percent * 10'000);
            most.back() = std::min(most.back(), percent);
        }
        weights.push_back(guest.quota.weight);
        scenario.guests.push_back(guest);
    }
    const Outcome outcome = simulate(scenario);
    const std::vector<double> due = water_fill(cpus, most, weights);
    for (size_t i = 0; i < count; ++i) {
        CAPTURE(seed, cpus, i, weights, most, due, scenario.guests[i].vcpus);
        CHECK(share(outcome, i) == Approx(due[i]).margin(1.0));
    }
}

TEST_CASE("an interactive guest beside hogs runs at once when it wakes") {
    const uint32_t cpus = GENERATE(1U, 2U);
    Scenario scenario = on_cpus(cpus, Policy::kWeightedFair, 20 * kSecond);
    scenario.reality.late_stop = 40 * kMicrosecond;
    scenario.guests = {interactive(200 * kMicrosecond, 10 * kMs, 50), hog(), hog(), hog()};
    const Outcome outcome = simulate(scenario);
    CHECK(outcome.guests[0].responded > 1500);
    CHECK(outcome.guests[0].response_p99 <= 150 * kMicrosecond);
}

TEST_CASE("a guest that sleeps often gets no more than its share of what it wants") {
    Scenario scenario = on_cpus(1, Policy::kWeightedFair, 20 * kSecond);
    scenario.guests = {interactive(3 * kMs, 10 * kMicrosecond), hog()};
    const Outcome outcome = simulate(scenario);
    CHECK(share(outcome, 0) <= 51);
    CHECK(share(outcome, 0) >= 45);
}

TEST_CASE("a reservation holds under every policy") {
    const auto policy = GENERATE(from_range(kPolicies));
    const uint32_t cpus = GENERATE(1U, 2U);
    CAPTURE(policy_name(policy), cpus);
    Scenario scenario = on_cpus(cpus, policy, 10 * kSecond);
    ScenarioGuest reserved = weighted_hog(1);
    reserved.quota.reserve = 300'000;
    reserved.quota.priority = 100'000;
    scenario.guests = {hog(), hog(), hog(), reserved};
    CHECK(share(simulate(scenario), 3) >= 29.9);
}

TEST_CASE("a policy that is switched while all run is in force at once") {
    Scenario scenario = on_cpus(1, Policy::kFcfs, 10 * kSecond);
    for (const uint32_t weight : {100U, 300U}) scenario.guests.push_back(weighted_hog(weight));
    Simulator simulator(scenario);
    simulator.run_until(kSecond);
    CHECK(simulator.used(0) == kSecond);
    simulator.core().set_policy(Policy::kWeightedFair, kSecond);
    simulator.run_until(2 * kSecond);
    CHECK(static_cast<double>(simulator.used(1)) == Approx(0.75e9).epsilon(0.01));
    const Nanoseconds used = simulator.used(1);
    simulator.core().set_policy(Policy::kRoundRobin, 2 * kSecond);
    simulator.run_until(3 * kSecond);
    CHECK(static_cast<double>(simulator.used(1) - used) == Approx(0.5e9).epsilon(0.01));
}

TEST_CASE("priority is strict, but who waits long gets its turn") {
    Scenario scenario = on_cpus(1, Policy::kPriority, 10 * kSecond);
    scenario.guests = {hog(), hog()};
    scenario.guests[1].quota.priority = 101;  // one step, 100 ms of waiting
    const Outcome outcome = simulate(scenario);
    CHECK(share(outcome, 1) == Approx(2).margin(0.5));
    CHECK(outcome.guests[1].longest_wait <= 105 * kMs);
}
