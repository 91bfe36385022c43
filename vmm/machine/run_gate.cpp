#include "vmm/machine/run_gate.h"

namespace carrel {

bool RunGate::park() {
    MutexLock lock(mutex_);
    ++parked_;
    changed_.notify_all();
    while (request() == Request::kPause || request() == Request::kHold) changed_.wait(mutex_);
    --parked_;
    return request() != Request::kStop;
}

void RunGate::wait_memory(uint64_t seen, bool parked) {
    MutexLock lock(mutex_);
    if (parked) ++parked_;
    changed_.notify_all();
    while (memory_given() == seen && request() != Request::kStop) changed_.wait(mutex_);
    if (parked) --parked_;
}

void RunGate::give_memory() {
    MutexLock lock(mutex_);
    let_go_at_.store(read_clock(CLOCK_MONOTONIC), std::memory_order_relaxed);
    given_.fetch_add(1, std::memory_order_release);
    changed_.notify_all();
}

void RunGate::show() {
    const bool only_held = held_ && asked_ == Request::kRun;
    if (!only_held && asked_ != Request::kPause)
        let_go_at_.store(read_clock(CLOCK_MONOTONIC), std::memory_order_relaxed);
    request_.store(only_held ? Request::kHold : asked_, std::memory_order_release);
    changed_.notify_all();
}

void RunGate::set(Request request) {
    MutexLock lock(mutex_);
    if (asked_ == Request::kStop) return;
    asked_ = request;
    show();
}

void RunGate::hold(bool on) {
    MutexLock lock(mutex_);
    held_ = on;
    show();
}

void RunGate::reopen() {
    MutexLock lock(mutex_);
    asked_ = Request::kRun;
    show();
}

bool RunGate::wait_parked(uint32_t threads, Nanoseconds timeout, const Clock& clock) {
    const Nanoseconds deadline = clock.now() + timeout;
    MutexLock lock(mutex_);
    while (parked_ < threads) {
        if (request() == Request::kStop) return false;  // it ended meanwhile
        const Nanoseconds left = deadline - clock.now();
        if (left <= 0) return false;
        (void)changed_.wait_for(mutex_, left);
    }
    return true;
}

}  // namespace carrel
