// Scenarios in a line each.
#pragma once

#include "tests/catch.h"
#include "vmm/sim/simulator.h"

namespace carrel::sim {

inline constexpr Nanoseconds kMs = kMillisecond;

inline Scenario on_cpus(uint32_t cpus, Policy policy = Policy::kWeightedFair, Nanoseconds until = kSecond) {
    Scenario scenario;
    scenario.scheduler.cpus = cpus;
    scenario.scheduler.policy = policy;
    scenario.until = until;
    return scenario;
}

inline ScenarioGuest hog(std::string name = "hog", uint32_t vcpus = 1) {
    ScenarioGuest guest;
    guest.name = std::move(name);
    guest.vcpus = vcpus;
    return guest;
}

// In percent, to four digits.
inline ScenarioGuest capped_hog(double percent, uint32_t vcpus = 1) {
    ScenarioGuest guest = hog("capped", vcpus);
    guest.quota.cap = static_cast<CpuShare>(percent * 10'000);
    return guest;
}

inline ScenarioGuest weighted_hog(uint32_t weight, uint32_t vcpus = 1) {
    ScenarioGuest guest = hog("hog" + std::to_string(weight), vcpus);
    guest.quota.weight = weight;
    return guest;
}

inline ScenarioGuest once(std::string name, Nanoseconds burst, Nanoseconds arrive = 0) {
    ScenarioGuest guest = hog(std::move(name));
    guest.workload = {.kind = Workload::Kind::kOnce, .arrive = arrive, .burst = burst};
    guest.quota.expected_burst = burst;
    return guest;
}

inline ScenarioGuest interactive(Nanoseconds burst, Nanoseconds think, uint32_t jitter = 0) {
    ScenarioGuest guest = hog("interactive");
    guest.workload = {.kind = Workload::Kind::kInteractive, .burst = burst, .pause = think, .jitter = jitter};
    return guest;
}

inline Outcome simulate(const Scenario& scenario) {
    return Simulator(scenario).run();
}

// In percent of one CPU.
inline double share(const Outcome& outcome, size_t guest) {
    return 100.0 * static_cast<double>(outcome.guests[guest].used) / static_cast<double>(outcome.end);
}

}  // namespace carrel::sim
