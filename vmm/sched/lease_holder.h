// LeaseHolder: a vCPU's thread keeps itself to its lease.
//
//                      lease over                      no lease in time
//   running, timer ──────────────► look: halted? ─no─► parked on the futex, outside KVM_RUN
//   on wall time                        │ yes              │ a grant
//      ▲                                ▼                  ▼
//      │                        halted in KVM, timer on    runs again, told how long it stood (steal time)
//      │      its reserve spent CPU time
//      └──────────────────────────────┘ (asks for a lease: parks)
//
// Nothing of this is on the way of an exit: the thread looks only when it was kicked.
#pragma once

#include <optional>

#include "vmm/sched/lease_timers.h"
#include "vmm/sched/share_board.h"
#include "vmm/sched/waking_priority.h"

namespace carrel::sched {

// What the holder must know of its vCPU. Called on the vCPU's thread, outside KVM_RUN.
class LeaseVcpu {
  public:
    virtual ~LeaseVcpu() = default;
    virtual bool is_halted() const = 0;
    // Another reason to stop than the lease: the wait for it ends.
    virtual bool is_stopped() const = 0;
    virtual void on_hold() = 0;                  // it is about to stand
    virtual void on_held(Nanoseconds time) = 0;  // it stood so long and goes on
};

// Threads: nudge() any, all else the vCPU's own.
class LeaseHolder {
  public:
    // CPU time that a vCPU may use after a halt before it asks. Charged to it afterwards.
    static constexpr Nanoseconds kReserve = 200 * kMicrosecond;
    // Less isn't worth another round: it counts as used up.
    static constexpr Nanoseconds kLeastRest = 5 * kMicrosecond;

    LeaseHolder(const ShareBoard& board, uint32_t place, LeaseVcpu& vcpu)
        : board_(board), place_(place), vcpu_(vcpu) {}

    // On the vCPU's thread, before all else: makes the timers.
    Result<void> begin();
    // The vCPU was kicked, or hasn't run yet: returns when it may run. False: is_stopped() came first.
    [[nodiscard]] bool look();
    // It is about to stand still for another reason, and others may have its CPU. Before it runs on: look().
    void step_aside();
    // The vCPU's thread ends.
    void end();

    // Any thread that kicks the vCPU calls this, too: it may be parked.
    void nudge() const { board_.nudge(place_); }

  private:
    VcpuShare& share() const { return board_.share(place_); }
    void report(VcpuReport what, Nanoseconds cpu, Nanoseconds now);
    // The CPU time by which its lease is counted.
    Nanoseconds cpu_time() const { return before_ + thread_cpu_time(); }
    void rest_in_halt(Nanoseconds cpu);
    void give_up_lease(Nanoseconds cpu, Nanoseconds now);
    bool park(Nanoseconds cpu);
    Nanoseconds wait_for_lease(Nanoseconds cpu);
    void arm(Nanoseconds rest);

    const ShareBoard& board_;
    const uint32_t place_;
    LeaseVcpu& vcpu_;
    std::optional<KickTimer> wall_;  // the lease's end
    std::optional<KickTimer> cpu_;   // the reserve's
    uint32_t reported_grant_ = 0;    // which the last report was about
    Nanoseconds before_ = 0;         // what the place's threads before this one have used
    Nanoseconds reserve_end_ = 0;    // of its CPU time; 0: it isn't living on its reserve
    WakingPriority priority_;        // raised while it is
};

}  // namespace carrel::sched
