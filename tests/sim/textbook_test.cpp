// The examples of Silberschatz, Galvin, Gagne: Operating System Concepts, chapter on CPU scheduling, with the
// answers that it gives. Times are in milliseconds; all processes come at time 0.
#include <vector>

#include "tests/sim/scenarios.h"

using namespace carrel;
using namespace carrel::sim;

namespace {

struct Process {
    Nanoseconds burst;
    uint32_t priority = 100;
};

// What each waits, in ms.
std::vector<Nanoseconds> waiting(const Outcome& outcome) {
    std::vector<Nanoseconds> times;
    for (const GuestResult& guest : outcome.guests) times.push_back(guest.waiting / kMs);
    return times;
}

Outcome run(Policy policy, const std::vector<Process>& processes, Nanoseconds slice = 1000) {
    Scenario scenario = on_cpus(1, policy);
    scenario.scheduler.slice = slice * kMs;
    scenario.scheduler.ageing = 10 * kSecond;  // the examples know none
    for (const Process& process : processes) {
        scenario.guests.push_back(
            once("P" + std::to_string(scenario.guests.size() + 1), process.burst * kMs));
        scenario.guests.back().quota.priority = process.priority;
    }
    return simulate(scenario);
}

using Times = std::vector<Nanoseconds>;

}  // namespace

TEST_CASE("textbook: first come, first served") {
    CHECK(waiting(run(Policy::kFcfs, {{24}, {3}, {3}})) == Times{0, 24, 27});  // 17 on average
    CHECK(waiting(run(Policy::kFcfs, {{3}, {3}, {24}})) == Times{0, 3, 6});    // 3
}

TEST_CASE("textbook: shortest job first") {
    CHECK(waiting(run(Policy::kSjf, {{6}, {8}, {7}, {3}})) == Times{3, 16, 9, 0});  // 7
}

TEST_CASE("textbook: round-robin with a quantum of 4 ms") {
    const Outcome outcome = run(Policy::kRoundRobin, {{24}, {3}, {3}}, 4);
    CHECK(waiting(outcome) == Times{6, 4, 7});  // 5.66
    CHECK(outcome.end == 30 * kMs);
    CHECK(outcome.guests[0].turnaround == 30 * kMs);
    CHECK(outcome.guests[2].turnaround == 10 * kMs);
}

TEST_CASE("textbook: priority") {
    CHECK(waiting(run(Policy::kPriority, {{10, 3}, {1, 1}, {2, 4}, {1, 5}, {5, 2}})) ==
          Times{6, 0, 16, 18, 1});  // 8.2
}
