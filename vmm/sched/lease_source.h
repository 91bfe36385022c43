// LeaseSource: where a guest's vCPUs have their leases from: this process's scheduler (scheduler.h), or
// another process's, through a board that both have (board_leases.h).
#pragma once

#include <cstdint>

#include "vmm/base/clock.h"
#include "vmm/base/kick.h"
#include "vmm/base/result.h"
#include "vmm/sched/lease_timers.h"
#include "vmm/sched/policy_core.h"
#include "vmm/sched/share_board.h"

namespace carrel::sched {

// A vCPU, for who isn't its thread. Any thread.
class ScheduledVcpu : public Kick {
  public:
    // The guest has halted it, as far as can be seen from here: then a kick finds out. Cheap.
    virtual bool seems_halted() const = 0;
    // KVM's statistics by which another process sees the same; -1: there are none.
    virtual int halt_statistics() const { return -1; }
};

// Threads: any.
class LeaseSource {
  public:
    virtual ~LeaseSource() = default;
    // A place on the board for a vCPU, which begins without a lease and outlives its place.
    virtual Result<uint32_t> add_vcpu(GuestId guest, ScheduledVcpu& vcpu) = 0;
    // Its thread has ended.
    virtual void remove_vcpu(uint32_t place) = 0;
    // How long its thread has been parked for want of a lease, until now.
    Nanoseconds waited_for_quota(uint32_t place) const {
        return board().share(place).waited_for_quota(monotonic_time());
    }
    // CPU time that the process's threads spent for the guest. Until when (CLOCK_MONOTONIC) they are to leave
    // it alone, its slice for I/O being spent; 0: go on.
    virtual Nanoseconds charge_io(GuestId guest, Nanoseconds used) = 0;
    virtual const ShareBoard& board() const = 0;
};

}  // namespace carrel::sched
