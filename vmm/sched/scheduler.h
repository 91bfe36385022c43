// Scheduler: the policy core's decisions, carried out on the threads of real vCPUs. Its own thread (`sched`)
// takes their reports, asks the core, and hands out leases; a vCPU's thread keeps itself to its lease
// (lease_holder.h). So a scheduler that is late or starved only ever makes vCPUs wait longer: nobody runs
// past what was given to him.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "vmm/base/kick.h"
#include "vmm/base/mutex.h"
#include "vmm/base/thread.h"
#include "vmm/sched/policy_core.h"
#include "vmm/sched/share_board.h"

namespace carrel::sched {

// A vCPU, for who isn't its thread. Any thread.
class ScheduledVcpu : public Kick {
  public:
    // The guest has halted it, as far as can be seen from here: then a kick finds out. Cheap.
    virtual bool seems_halted() const = 0;
};

// How a halt is noticed. KVM halts and wakes a vCPU without us, and nobody tells. While no other waits for a
// CPU it doesn't matter. While one does, `sched` looks at those that run: at one that has halted lately each
// kSoon, so that its CPU isn't left idle for long; at others each kSeldom. A wake-up is noticed by the vCPU's
// own thread, when it has run for a while on its reserve (lease_holder.h).
//
// Threads: any.
class Scheduler {
  public:
    static constexpr Nanoseconds kSoon = kMillisecond / 4;
    static constexpr Nanoseconds kSeldom = 2 * kMillisecond;
    static constexpr Nanoseconds kLately = kSecond;

    struct Options {
        uint32_t cpus = 1;  // of the host, for all guests together
        Policy policy = Policy::kWeightedFair;
    };
    // Starts the thread.
    static Result<std::unique_ptr<Scheduler>> create(const Options& options);
    Scheduler(const Options& options, ShareBoard board);  // use create()
    ~Scheduler();                                         // no vCPU is left
    Scheduler(const Scheduler&) = delete;
    Scheduler& operator=(const Scheduler&) = delete;

    GuestId add_guest(const CpuQuota& quota) EXCLUDES(mutex_);
    void remove_guest(GuestId guest) EXCLUDES(mutex_);
    void set_quota(GuestId guest, const CpuQuota& quota) EXCLUDES(mutex_);
    PolicyCore::GuestState guest(GuestId guest) EXCLUDES(mutex_);
    // CPU time that the process's threads spent for it. Until when (CLOCK_MONOTONIC) they are to leave it
    // alone, its slice for I/O being spent; 0: go on.
    Nanoseconds charge_io(GuestId guest, Nanoseconds used) EXCLUDES(mutex_);

    // A place on the board for a vCPU, which begins without a lease and outlives its place.
    Result<uint32_t> add_vcpu(GuestId guest, ScheduledVcpu& vcpu) EXCLUDES(mutex_);
    // Its thread has ended.
    void remove_vcpu(uint32_t place) EXCLUDES(mutex_);
    // How long its thread has been parked for want of a lease, until now.
    Nanoseconds waited_for_quota(uint32_t place) EXCLUDES(mutex_);

    void set_policy(Policy policy) EXCLUDES(mutex_);
    Policy policy() EXCLUDES(mutex_);
    std::string text() EXCLUDES(mutex_);

    const ShareBoard& board() const { return board_; }

  private:
    enum class State : uint8_t { kHalted, kWaiting, kRunning };  // as the core has been told
    struct Seat {
        VcpuId vcpu{};
        ScheduledVcpu* outside = nullptr;  // null: nobody sits here
        State state = State::kHalted;
        Nanoseconds cpu = 0;               // of its thread, as last told
        Nanoseconds halted_at = -kSecond;  // when it last said so
        Nanoseconds look_at = 0;           // while it runs
    };

    void run();
    void serve(Nanoseconds now) REQUIRES(mutex_);
    void take(uint32_t place, Nanoseconds now) REQUIRES(mutex_);
    void dispatch(Nanoseconds now) REQUIRES(mutex_);
    void grant(const Lease& lease, Nanoseconds now) REQUIRES(mutex_);
    void recall(VcpuId vcpu) REQUIRES(mutex_);
    void leave_running(uint32_t place) REQUIRES(mutex_);
    void look_for_halts(Nanoseconds now) REQUIRES(mutex_);
    std::optional<Nanoseconds> next_look() REQUIRES(mutex_);

    const ShareBoard board_;
    std::atomic<bool> ending_{false};
    Mutex mutex_;
    PolicyCore core_ GUARDED_BY(mutex_);
    std::vector<Seat> seats_ GUARDED_BY(mutex_);        // by place
    std::vector<uint32_t> running_ GUARDED_BY(mutex_);  // places; at most as many as CPUs
    std::vector<uint32_t> free_places_ GUARDED_BY(mutex_);
    std::vector<uint32_t> place_of_ GUARDED_BY(mutex_);  // by VcpuId
    Thread thread_;
};

}  // namespace carrel::sched
