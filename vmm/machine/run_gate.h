// RunGate: where the vCPU threads of one machine stop and go.
//
//      set(kPause), kick all ──► each thread comes out, finishes its pending access, parks here
//      wait_parked()         ──► true: all state may be read
//      set(kRun)             ──► they go on;   set(kStop) ──► they end
//
// A hold (DESIGN.md section 7) is set beside that and stops them in the same place: who pauses a machine that
// is held, and lets it go on, finds it held.
#pragma once

#include <atomic>
#include <cstdint>

#include "vmm/base/clock.h"
#include "vmm/base/mutex.h"

namespace carrel {

class RunGate {
  public:
    enum class Request : uint8_t { kRun, kHold, kPause, kStop };

    // vCPU thread, before each KVM_RUN: one atomic load.
    Request request() const { return request_.load(std::memory_order_acquire); }
    // vCPU thread: waits while paused or held. False: end the thread.
    bool park() EXCLUDES(mutex_);

    // When (CLOCK_MONOTONIC) those that waited here were last let go. What one of them waits afterwards is
    // for a host CPU.
    Nanoseconds let_go_at() const { return let_go_at_.load(std::memory_order_acquire); }

    // vCPU thread: how often memory has been given. Asked before it looks what is denied, so that
    // wait_memory() can't miss what is given in between.
    uint64_t memory_given() const { return given_.load(std::memory_order_acquire); }
    // vCPU thread that was denied memory: until some has been given since, or it is to end. `parked`: it
    // counts as parked meanwhile (nothing of it is half done).
    void wait_memory(uint64_t seen, bool parked) EXCLUDES(mutex_);
    // Any thread.
    void give_memory() EXCLUDES(mutex_);

    // Any other thread; the caller kicks the vCPUs afterwards. kStop is final until reopen().
    // (kHold isn't set like this.)
    void set(Request request) EXCLUDES(mutex_);
    void hold(bool on) EXCLUDES(mutex_);
    // For a new set of threads, none of the old ones being left.
    void reopen() EXCLUDES(mutex_);
    // Waits until `threads` of them are parked; false when `timeout` is over first.
    bool wait_parked(uint32_t threads, Nanoseconds timeout, const Clock& clock) EXCLUDES(mutex_);

  private:
    void show() REQUIRES(mutex_);

    std::atomic<Request> request_{Request::kRun};  // what follows from the next two
    Request asked_ GUARDED_BY(mutex_) = Request::kRun;
    bool held_ GUARDED_BY(mutex_) = false;
    std::atomic<uint64_t> given_{0};
    std::atomic<Nanoseconds> let_go_at_{0};
    Mutex mutex_;
    Condition changed_;
    uint32_t parked_ GUARDED_BY(mutex_) = 0;
};

}  // namespace carrel
