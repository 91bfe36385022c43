#include "vmm/machine/run_gate.h"

#include <thread>
#include <vector>

#include "tests/catch.h"

using namespace carrel;

namespace {

const SystemClock kClock;

// What a vCPU thread does, without a vCPU: its kicks are the gate itself.
void stay(RunGate& gate, std::atomic<uint64_t>& rounds) {
    while (true) {
        while (gate.request() != RunGate::Request::kRun) {
            if (!gate.park()) return;
        }
        rounds.fetch_add(1, std::memory_order_relaxed);
    }
}

}  // namespace

TEST_CASE("gate: paused threads are all parked, and go on when they are let") {
    RunGate gate;
    std::atomic<uint64_t> rounds{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) threads.emplace_back([&] { stay(gate, rounds); });
    for (int i = 0; i < 200; ++i) {
        gate.set(RunGate::Request::kPause);
        REQUIRE(gate.wait_parked(4, 10 * kSecond, kClock));
        const uint64_t before = rounds.load();
        CHECK(rounds.load() == before);
        gate.set(RunGate::Request::kRun);
    }
    gate.set(RunGate::Request::kStop);
    for (auto& thread : threads) thread.join();
}

TEST_CASE("gate: a stop is final until the gate is opened anew") {
    RunGate gate;
    gate.set(RunGate::Request::kStop);
    gate.set(RunGate::Request::kRun);
    CHECK(gate.request() == RunGate::Request::kStop);
    CHECK_FALSE(gate.park());
    gate.reopen();
    CHECK(gate.request() == RunGate::Request::kRun);
}

TEST_CASE("gate: waiting for threads that don't come ends in time") {
    RunGate gate;
    gate.set(RunGate::Request::kPause);
    CHECK_FALSE(gate.wait_parked(1, 10 * kMillisecond, kClock));
}

TEST_CASE("gate: it tells when it let go, which a further pause doesn't change") {
    RunGate gate;
    const Nanoseconds before = kClock.now();
    gate.set(RunGate::Request::kPause);
    CHECK(gate.let_go_at() == 0);
    gate.hold(true);
    gate.set(RunGate::Request::kRun);
    CHECK(gate.let_go_at() == 0);  // it is held
    gate.hold(false);
    const Nanoseconds let_go = gate.let_go_at();
    CHECK(let_go >= before);
    CHECK(let_go <= kClock.now());
    gate.set(RunGate::Request::kPause);
    CHECK(gate.let_go_at() == let_go);
}
