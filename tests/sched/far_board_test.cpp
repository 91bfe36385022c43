// A scheduler whose guests' vCPUs report on boards of their own, as those of other processes do. The threads
// are this process's, so that one can be made to lie.
#include "vmm/sched/board_leases.h"

#include <sys/eventfd.h>

#include <array>
#include <chrono>
#include <thread>
#include <vector>

#include "tests/catch.h"
#include "tests/sched/spinner.h"
#include "vmm/sched/scheduler.h"

using namespace carrel;
using namespace carrel::sched;

namespace {

void sleep_for(Nanoseconds time) {
    std::this_thread::sleep_for(std::chrono::nanoseconds(time));
}

std::unique_ptr<Scheduler> far_scheduler(uint32_t cpus) {
    auto scheduler = Scheduler::create({.cpus = cpus, .policy = Policy::kWeightedFair, .far = true});
    REQUIRE(scheduler.ok());
    return std::move(*scheduler);
}

// A guest with one vCPU and a board of its own.
class FarGuest {
  public:
    FarGuest(Scheduler& scheduler, const CpuQuota& quota) : scheduler_(scheduler) {
        guest_ = scheduler.add_guest(quota);
        board().clear();
        ScheduledVcpu* const vcpus[] = {&relay_};
        number_ = scheduler.add_board(guest_, board(), bell_.get(), vcpus).value();
    }
    ~FarGuest() {
        spinner_.reset();
        scheduler_.remove_board(number_);
        scheduler_.remove_guest(guest_);
    }
    FarGuest(const FarGuest&) = delete;
    FarGuest& operator=(const FarGuest&) = delete;

    // Its process begins, or has a new thread for its vCPU.
    Spinner& spin() {
        spinner_.reset();
        spinner_ = std::make_unique<Spinner>(leases_, guest_);
        return *spinner_;
    }
    void end() { spinner_.reset(); }
    ShareBoard board() { return {memory_.data(), 1, bell_.get()}; }
    Nanoseconds charged() { return scheduler_.guest(guest_).used; }
    Nanoseconds charged_io() { return scheduler_.guest(guest_).used_io; }
    BoardLeases& leases() { return leases_; }
    GuestId guest() const { return guest_; }
    int bell() const { return bell_.get(); }

  private:
    // There before the vCPU is.
    struct Relay final : ScheduledVcpu {
        void kick() override {
            if (auto* const vcpu = to.load()) vcpu->kick();
        }
        bool seems_halted() const override { return false; }
        std::atomic<ScheduledVcpu*> to{nullptr};
    };

    Scheduler& scheduler_;
    Fd bell_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    alignas(64) std::array<std::byte, ShareBoard::size_of(1)> memory_{};
    Relay relay_;
    BoardLeases leases_{board(), [this](uint32_t, ScheduledVcpu& vcpu) { relay_.to = &vcpu; }};
    GuestId guest_{};
    uint32_t number_ = 0;
    std::unique_ptr<Spinner> spinner_;
};

CpuQuota capped(CpuShare cap) {
    CpuQuota quota;
    quota.cap = cap;
    return quota;
}

CpuQuota weighing(uint32_t weight) {
    CpuQuota quota;
    quota.weight = weight;
    return quota;
}

}  // namespace

TEST_CASE("far boards: a cap holds, over threads that come and go") {
    const auto scheduler = far_scheduler(2);
    FarGuest guest(*scheduler, capped(kWholeCpu / 4));
    Nanoseconds used = 0;
    const Nanoseconds before = monotonic_time();
    for (int i = 0; i < 4; ++i) {
        Spinner& spinner = guest.spin();
        sleep_for(250 * kMillisecond);
        used += spinner.cpu();
    }
    const Nanoseconds due = (monotonic_time() - before) / 4;
    CHECK(used <= due + 5 * kMillisecond);
    CHECK(used >= due / 2);  // this machine may be busy
    // The last word of a thread is what it has used.
    guest.end();
    for (int i = 0; i < 1000 && guest.charged() < used; ++i) sleep_for(10 * kMillisecond);
    CHECK(guest.charged() >= used);
}

TEST_CASE("far boards: one policy for all") {
    const auto scheduler = far_scheduler(1);
    FarGuest light(*scheduler, weighing(100)), heavy(*scheduler, weighing(300));
    Spinner& one = light.spin();
    Spinner& three = heavy.spin();
    sleep_for(100 * kMillisecond);
    double ratio = 0;
    // Where others want the host's CPUs, too, a span may be theirs.
    for (int tries = 0; tries < 5 && !(ratio > 2.8 && ratio < 3.2); ++tries) {
        const Nanoseconds from[] = {one.cpu(), three.cpu()};
        sleep_for(2 * kSecond);
        ratio = static_cast<double>(three.cpu() - from[1]) / static_cast<double>(one.cpu() - from[0]);
    }
    CHECK(ratio > 2.8);
    CHECK(ratio < 3.2);
}

TEST_CASE("far boards: who lies cheats on nobody else") {
    const auto scheduler = far_scheduler(2);
    FarGuest honest(*scheduler, capped(kWholeCpu / 4)), liar(*scheduler, capped(kWholeCpu / 4));
    Spinner& spinner = honest.spin();
    const ShareBoard board = liar.board();
    VcpuShare& share = board.share(0);
    const Nanoseconds before = monotonic_time();
    const Nanoseconds used = spinner.cpu();
    const int64_t lies[] = {INT64_MAX, INT64_MIN, -1, 0, INT64_MAX, 1};
    for (int i = 0; monotonic_time() - before < kSecond; ++i) {
        share.cpu = lies[static_cast<size_t>(i) % std::size(lies)];
        board.io_used() = lies[static_cast<size_t>(i / 2) % std::size(lies)];
        share.report = VcpuShare::pack(static_cast<VcpuReport>(i % 5), share.grant);
        board.report(0);
        share.next =
            i % 3 == 0 ? 0 : static_cast<uint32_t>(i) * 7919U;  // a ring, and places that aren't there
        if (i % 50 == 0) sleep_for(100 * kMicrosecond);
    }
    const Nanoseconds due = (monotonic_time() - before) / 4;
    CHECK(spinner.cpu() - used <= due + 5 * kMillisecond);
    CHECK(spinner.cpu() - used >= due / 2);
    // What is charged to it is bounded by what it can have used.
    CHECK(liar.charged() >= 0);
    CHECK(liar.charged_io() >= 0);
}

// What it asks for may cross with what the scheduler makes of its last word.
TEST_CASE("far boards: who stopped waiting is woken, and asks again") {
    const auto scheduler = far_scheduler(1);
    FarGuest guest(*scheduler, capped(kWholeCpu / 100));
    const ShareBoard board = guest.board();
    VcpuShare& share = board.share(0);
    const auto say = [&](VcpuReport what) {
        share.report = VcpuShare::pack(what, share.grant);
        board.report(0);
        board.ring();
    };
    // Its budget is spent: from here on it waits.
    share.cpu = 20 * kMillisecond;
    say(VcpuReport::kHalted);
    sleep_for(20 * kMillisecond);
    say(VcpuReport::kWaiting);
    sleep_for(20 * kMillisecond);
    const uint32_t grant = share.grant, word = share.word;
    say(VcpuReport::kHalted);
    for (int i = 0; i < 1000 && share.word == word; ++i) sleep_for(kMillisecond);
    CHECK(share.grant != grant);
    CHECK(share.word != word);
}

TEST_CASE("far boards: who rings without end isn't listened to, and is served all the same") {
    const auto scheduler = far_scheduler(2);
    FarGuest honest(*scheduler, capped(kWholeCpu / 4)), noisy(*scheduler, capped(kWholeCpu / 4));
    Spinner& spinner = honest.spin();
    Spinner& other = noisy.spin();
    std::atomic<bool> stop{false};
    std::thread ringer([&] {
        const uint64_t one = 1;
        while (!stop) (void)!::write(noisy.bell(), &one, sizeof one);
    });
    bool served = false;
    for (int tries = 0; tries < 5 && !served; ++tries) {
        const Nanoseconds before = monotonic_time();
        const Nanoseconds used[] = {spinner.cpu(), other.cpu()};
        sleep_for(1500 * kMillisecond);
        const Nanoseconds due = (monotonic_time() - before) / 4;
        CHECK(spinner.cpu() - used[0] <= due + 5 * kMillisecond);
        served = spinner.cpu() - used[0] >= due / 4 && other.cpu() - used[1] >= due / 4;
    }
    CHECK(served);  // three threads that spin and perhaps others: not always in the first span
    stop = true;
    ringer.join();
}

TEST_CASE("far boards: the I/O of another process is charged, and held where its slice is spent") {
    const auto scheduler = far_scheduler(2);
    FarGuest guest(*scheduler, capped(kWholeCpu / 10));
    // An eighth of a millisecond is its slice.
    Nanoseconds until = 0;
    for (int i = 0; i < 500 && until == 0; ++i) {
        sleep_for(kMillisecond);
        until = guest.leases().charge_io(guest.guest(), 250 * kMicrosecond);
    }
    CHECK(until != 0);
    CHECK(guest.charged_io() >= 250 * kMicrosecond);
}
