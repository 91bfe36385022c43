// A vCPU's side of the agreement, the scheduler's being played by the test.
#include "vmm/sched/lease_holder.h"

#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <thread>

#include "tests/catch.h"
#include "vmm/base/signals.h"
#include "vmm/sched/lease_timers.h"

using namespace carrel;
using namespace carrel::sched;

namespace {

class Vcpu final : public LeaseVcpu {
  public:
    bool is_halted() const override { return halted; }
    bool is_stopped() const override { return stopped; }
    void on_hold() override {}
    void on_held(Nanoseconds) override {}
    std::atomic<bool> halted{false};
    std::atomic<bool> stopped{false};
};

uint32_t wait_for_report(const ShareBoard& board) {
    uint32_t reports = 0;
    while (reports == 0) {
        const uint32_t seen = board.doorbell();
        auto taken = board.take_reports();
        while (taken.next()) ++reports;
        if (reports == 0) board.wait(seen, monotonic_time() + kSecond);
    }
    return reports;
}

}  // namespace

TEST_CASE("lease: one that is taken back before its vCPU woke is given up, not waited for") {
    std::signal(signals::kick(), [](int) {});
    const ShareBoard board = ShareBoard::create().value();
    VcpuShare& share = board.share(0);
    Vcpu vcpu;
    bool ran = false;
    std::thread thread([&] {
        LeaseHolder holder(board, 0, vcpu);
        REQUIRE(holder.begin().ok());
        ran = holder.look();
    });
    REQUIRE(wait_for_report(board) == 1);
    share.grant.fetch_add(1);
    share.lease_end.store(VcpuShare::kUnlimited);
    share.lease_end.store(VcpuShare::kNoLease);
    board.nudge(0);
    CHECK(wait_for_report(board) == 1);
    CHECK(VcpuShare::grant_of(share.report.load()) == share.grant.load());
    CHECK(VcpuShare::report_of(share.report.load()) == VcpuReport::kWaiting);

    share.grant.fetch_add(1);
    share.lease_end.store(VcpuShare::kUnlimited);
    board.nudge(0);
    thread.join();
    CHECK(ran);
}

TEST_CASE("lease: who waits for one stops waiting when it is asked to stop") {
    const ShareBoard board = ShareBoard::create().value();
    Vcpu vcpu;
    bool ran = true;
    std::thread thread([&] {
        LeaseHolder holder(board, 0, vcpu);
        REQUIRE(holder.begin().ok());
        ran = holder.look();
    });
    (void)wait_for_report(board);
    vcpu.stopped = true;
    board.nudge(0);
    thread.join();
    CHECK_FALSE(ran);
}

TEST_CASE("lease: a wait for quota ends with the grant, even one that is taken back before its vCPU ran") {
    const ShareBoard board = ShareBoard::create().value();
    VcpuShare& share = board.share(0);
    Vcpu vcpu;
    std::thread thread([&] {
        LeaseHolder holder(board, 0, vcpu);
        REQUIRE(holder.begin().ok());
        (void)holder.look();
    });
    REQUIRE(wait_for_report(board) == 1);
    while (share.parked_since.load() == 0) std::this_thread::yield();
    const Nanoseconds since = share.parked_since.load();
    while (monotonic_time() - since < 50 * kMillisecond) std::this_thread::yield();
    // As if it had been runnable since then and no CPU had been free.
    share.granted_at.store(since + kMillisecond);
    share.grant.fetch_add(1);
    board.nudge(0);
    CHECK(wait_for_report(board) == 1);
    CHECK(share.quota_waits.load() == kMillisecond);
    vcpu.stopped = true;
    board.nudge(0);
    thread.join();
}

TEST_CASE("lease: where its end can wait it stands in the list, and wakes nobody") {
    std::signal(signals::kick(), [](int) {});
    const ShareBoard board = ShareBoard::create().value();
    VcpuShare& share = board.share(0);
    Vcpu vcpu;
    std::thread thread([&] {
        LeaseHolder holder(board, 0, vcpu);
        REQUIRE(holder.begin().ok());
        while (holder.look())
            while (thread_cpu_time() < share.lease_end.load()) continue;
    });
    (void)wait_for_report(board);
    const auto grant = [&](uint32_t quiet) {
        share.grant.fetch_add(1);
        share.quiet.store(quiet);
        share.lease_end.store(share.cpu.load() + 100 * kMicrosecond);
        board.nudge(0);
    };
    const auto listed = [&] {
        while (!board.take_reports().next()) std::this_thread::yield();
    };
    const uint32_t before = board.doorbell();
    grant(1);
    listed();
    CHECK(board.doorbell() == before);
    grant(0);
    CHECK(wait_for_report(board) == 1);
    CHECK(board.doorbell() == before + 1);

    vcpu.stopped = true;
    board.nudge(0);
    thread.join();
}

TEST_CASE("lease: who lives on its reserve wakes before who computes, and is as before when that is spent") {
    std::signal(signals::kick(), [](int) {});
    const ShareBoard board = ShareBoard::create().value();
    VcpuShare& share = board.share(0);
    Vcpu vcpu;
    struct Priorities {
        int usual = 0, resting = 0, parked = 0;
    } priorities;
    bool permitted = true;
    std::thread thread([&] {
        const auto priority = [] { return ::getpriority(PRIO_PROCESS, 0); };
        LeaseHolder holder(board, 0, vcpu);
        REQUIRE(holder.begin().ok());
        priorities.usual = priority();
        permitted = ::setpriority(PRIO_PROCESS, 0, priorities.usual - WakingPriority::kSteps) == 0;
        (void)::setpriority(PRIO_PROCESS, 0, priorities.usual);
        vcpu.halted = true;
        (void)holder.look();  // its lease has been taken back
        priorities.resting = priority();
        vcpu.halted = false;
        const Nanoseconds end = thread_cpu_time() + 2 * LeaseHolder::kReserve;
        while (thread_cpu_time() < end) continue;
        vcpu.stopped = true;
        (void)holder.look();
        priorities.parked = priority();
        holder.end();
    });
    thread.join();
    CHECK(VcpuShare::report_of(share.report.load()) == VcpuReport::kHalted);  // end()'s
    CHECK(priorities.parked == priorities.usual);
    if (permitted)
        CHECK(priorities.resting ==
              std::max(priorities.usual - WakingPriority::kSteps, WakingPriority::kBest));
    else
        CHECK(priorities.resting == priorities.usual);
}
