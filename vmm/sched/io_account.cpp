#include "vmm/sched/io_account.h"

#include "vmm/sched/lease_timers.h"

namespace carrel::sched {

void IoAccount::charge(Nanoseconds cpu) {
    if (untold_.fetch_add(cpu, std::memory_order_relaxed) + cpu < kAtOnce &&
        held_until_.load(std::memory_order_relaxed) == 0)
        return;
    MutexLock lock(mutex_);
    if (closed_) return;
    const Nanoseconds until = leases_.charge_io(guest_, untold_.exchange(0, std::memory_order_relaxed));
    held_until_.store(until, std::memory_order_relaxed);
}

Nanoseconds IoAccount::held_until() {
    const Nanoseconds until = held_until_.load(std::memory_order_relaxed);
    return until != 0 && until > monotonic_time() ? until : 0;
}

void IoAccount::close() {
    MutexLock lock(mutex_);
    closed_ = true;
    held_until_.store(0, std::memory_order_relaxed);
}

}  // namespace carrel::sched
