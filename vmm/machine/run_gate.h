// RunGate: where the vCPU threads of one machine stop and go.
//
//      set(kPause), kick all ──► each thread comes out, finishes its pending access, parks here
//      wait_parked()         ──► true: all state may be read
//      set(kRun)             ──► they go on;   set(kStop) ──► they end
#pragma once

#include <atomic>
#include <cstdint>

#include "vmm/base/clock.h"
#include "vmm/base/mutex.h"

namespace carrel {

class RunGate {
  public:
    enum class Request : uint8_t { kRun, kPause, kStop };

    // vCPU thread, before each KVM_RUN: one atomic load.
    Request request() const { return request_.load(std::memory_order_acquire); }
    // vCPU thread: waits while paused. False: end the thread.
    bool park() EXCLUDES(mutex_);

    // Any other thread; the caller kicks the vCPUs afterwards. kStop is final until reopen().
    void set(Request request) EXCLUDES(mutex_);
    // For a new set of threads, none of the old ones being left.
    void reopen() EXCLUDES(mutex_);
    // Waits until `threads` of them are parked; false when `timeout` is over first.
    bool wait_parked(uint32_t threads, Nanoseconds timeout, const Clock& clock) EXCLUDES(mutex_);

  private:
    std::atomic<Request> request_{Request::kRun};
    Mutex mutex_;
    Condition changed_;
    uint32_t parked_ GUARDED_BY(mutex_) = 0;
};

}  // namespace carrel
