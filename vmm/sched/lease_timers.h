// LeaseTimers: what reminds a vCPU's thread, in KVM_RUN or not, to look at its lease.
//
// A timer on CLOCK_MONOTONIC is exact (some microseconds late) and counts wall time: for a vCPU that runs.
// One on the thread's CPU time costs nothing while the vCPU is halted, however long, and is as late as the
// host's tick (up to 4 ms): for a vCPU that has halted, to notice that it runs again.
#pragma once

#include <ctime>

#include "vmm/base/charge_sink.h"
#include "vmm/base/clock.h"
#include "vmm/base/result.h"

namespace carrel::sched {

// One POSIX timer that sends the kick signal to the thread that made it (timer_create(2), SIGEV_THREAD_ID).
// Move-only.
class KickTimer {
  public:
    static Result<KickTimer> create(clockid_t clock);
    KickTimer(KickTimer&& other) noexcept;
    KickTimer& operator=(KickTimer&&) = delete;
    ~KickTimer();

    void arm(Nanoseconds at);      // on its clock; in the past: at once
    void disarm(Nanoseconds now);  // of its clock

  private:
    explicit KickTimer(timer_t timer) : timer_(timer), valid_(true) {}
    timer_t timer_{};
    bool valid_;
    Nanoseconds at_ = 0;  // when it fires, or has fired
};

inline Nanoseconds monotonic_time() {
    return read_clock(CLOCK_MONOTONIC);
}

}  // namespace carrel::sched
