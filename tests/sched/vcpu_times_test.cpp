// The sum of where a vCPU's time went can fail: a source that is wrong, whichever, is seen in the residual.
#include "vmm/sched/vcpu_times.h"

#include <chrono>
#include <cstdlib>
#include <thread>
#include <vector>

#include "tests/catch.h"
#include "tests/sched/spinner.h"

using namespace carrel;
using namespace carrel::sched;

namespace {

void sleep_for(Nanoseconds time) {
    std::this_thread::sleep_for(std::chrono::nanoseconds(time));
}

// A vCPU that runs, is parked for want of a lease, and stands for each other reason.
struct Rig {
    Rig() {
        CpuQuota quota;
        quota.cap = kWholeCpu / 2;
        guest = scheduler->add_guest(quota);
        spinner.emplace(*scheduler, guest);
        while (spinner->cpu() == 0) sleep_for(kMillisecond);
        thread.emplace(ThreadTimes::open(opener, spinner->thread()).value());
    }
    ~Rig() {
        spinner->stand(nullptr);
        spinner.reset();
        scheduler->remove_guest(guest);
    }
    // About a second, at whose begin and end it stands, so that no wait for a host CPU is uncounted.
    void pass_a_second() {
        spinner->stand(nullptr);
        sleep_for(400 * kMillisecond);
        for (WaitStamp* const why : {&halted, &memory, &paused}) {
            spinner->stand(why);
            sleep_for(200 * kMillisecond);
        }
    }

    std::unique_ptr<Scheduler> scheduler = Scheduler::create({.cpus = 2}).value();
    GuestId guest{};
    std::optional<Spinner> spinner;
    DirectOpener opener;
    std::optional<ThreadTimes> thread;
    WaitStamp halted;
    WaitStamp memory;
    WaitStamp paused;
};

enum class Part { kNone, kRun, kQuota, kHostCpu, kMemory, kHalted, kPaused };

// Its sources, one of them wrong: it gains, or loses, a hundredth of the time that passes.
class Sources final : public TimeSources {
  public:
    Sources(Rig& rig, Part wrong, int hundredths) : rig_(rig), wrong_(wrong), hundredths_(hundredths) {}

    std::optional<ThreadTimes::Values> thread() override {
        auto values = rig_.thread->read();
        values->run += error(Part::kRun);
        values->waited += error(Part::kHostCpu);
        return values;
    }
    Nanoseconds halted() override { return rig_.halted.total(monotonic_time()) + error(Part::kHalted); }
    Stamps stamps() override {
        return {.thread = rig_.spinner->thread(),
                .began = began_,
                .quota = rig_.spinner->waited() + error(Part::kQuota),
                .memory = rig_.memory.total(monotonic_time()) + error(Part::kMemory),
                .paused = rig_.paused.total(monotonic_time()) + error(Part::kPaused)};
    }

    VcpuTimes from;

  private:
    Nanoseconds error(Part part) const {
        return part == wrong_ ? (monotonic_time() - began_) / 100 * hundredths_ : 0;
    }
    Rig& rig_;
    const Part wrong_;
    const int hundredths_;
    const Nanoseconds began_ = monotonic_time();
};

bool adds_up(const VcpuTimes& times) {
    return std::abs(times.residual()) <= times.wall / 200;
}

}  // namespace

// A thread that loses its CPU between a stamp and its sleep, or between its wake-up and the next stamp, is
// counted twice or not at all. This machine may be busy, so a second that was disturbed like that is taken
// again.
TEST_CASE("times: where a vCPU's time went adds up, and doesn't where one source is wrong") {
    constexpr int kTries = 10;
    Rig rig;
    Sources right(rig, Part::kNone, 0);
    std::vector<Sources> wrong;
    for (const Part part :
         {Part::kRun, Part::kQuota, Part::kHostCpu, Part::kMemory, Part::kHalted, Part::kPaused}) {
        wrong.emplace_back(rig, part, 2);
        wrong.emplace_back(rig, part, -2);
    }
    VcpuTimes times;
    rig.spinner->stand(&rig.paused);
    for (int tries = 0; tries == 0 || (!adds_up(times) && tries < kTries); ++tries) {
        right.from = take_times(right).value();
        for (Sources& one : wrong) one.from = take_times(one).value();
        rig.pass_a_second();
        times = take_times(right).value() - right.from;
    }
    INFO("wall " << times.wall << ", run " << times.run << ", quota " << times.quota << ", host CPU "
                 << times.host_cpu << ", memory " << times.memory << ", halted " << times.halted
                 << ", paused " << times.paused);
    CHECK(adds_up(times));
    for (const Nanoseconds part : {times.run, times.memory, times.halted, times.paused})
        CHECK(part > times.wall / 100);
    for (Sources& one : wrong) CHECK_FALSE(adds_up(take_times(one).value() - one.from));
}
