#include "vmm/sched/board_leases.h"

#include <algorithm>

namespace carrel::sched {

// The share's CPU time goes on counting where a vCPU gets a new thread: it isn't the scheduler's business
// that there is one (LeaseHolder::begin).
Result<uint32_t> BoardLeases::add_vcpu(GuestId, ScheduledVcpu& vcpu) {
    uint32_t place = 0;
    {
        MutexLock lock(mutex_);
        const auto found = std::ranges::find(taken_, false);
        if (found == taken_.end()) return host_error("the scheduler expects fewer vCPUs");
        *found = true;
        place = static_cast<uint32_t>(found - taken_.begin());
    }
    VcpuShare& share = board_.share(place);
    share.quota_waits.store(0, std::memory_order_relaxed);
    share.parked_since.store(0, std::memory_order_relaxed);
    on_seat_(place, vcpu);
    return place;
}

void BoardLeases::remove_vcpu(uint32_t place) {
    MutexLock lock(mutex_);
    taken_[place] = false;
}

Nanoseconds BoardLeases::charge_io(GuestId, Nanoseconds used) {
    const Nanoseconds before = board_.io_used().fetch_add(used, std::memory_order_release);
    if (before / kIoAtOnce != (before + used) / kIoAtOnce) board_.ring();
    return board_.io_held_until().load(std::memory_order_acquire);
}

}  // namespace carrel::sched
