#include "vmm/machine/run_gate.h"

namespace carrel {

bool RunGate::park() {
    MutexLock lock(mutex_);
    ++parked_;
    changed_.notify_all();
    while (request() == Request::kPause) changed_.wait(mutex_);
    --parked_;
    return request() != Request::kStop;
}

void RunGate::set(Request request) {
    MutexLock lock(mutex_);
    if (this->request() == Request::kStop) return;
    request_.store(request, std::memory_order_release);
    changed_.notify_all();
}

void RunGate::reopen() {
    MutexLock lock(mutex_);
    request_.store(Request::kRun, std::memory_order_release);
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
