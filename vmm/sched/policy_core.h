// PolicyCore: who may use a host CPU next, and for how long. Pure: no clock, no thread, no system call; time
// is passed in, ties are broken by id, and the same calls give the same answers. The real backend
// (scheduler.h) and the simulator (vmm/sim) drive the same object.
//
//              wake()                 next_grant()
//   halted ───────────► waiting ◄──────────────────► running (has a lease)
//      ▲                 │  ▲  budget spent              │
//      │                 ▼  │                            │
//      │              throttled (waits for its guest's next period)
//      └────────────────────────── block() ◄─────────────┘   expire(): back to waiting or throttled
//
// A lease is CPU time, not wall time. At most `cpus` leases are out at once. Who runs past its lease has a
// debt, which its guest's following periods repay.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "vmm/base/clock.h"
#include "vmm/model/cpu_quota.h"
#include "vmm/model/policy.h"

namespace carrel::sched {

enum class GuestId : uint32_t {};
enum class VcpuId : uint32_t {};

using carrel::Policy;

struct Lease {
    static constexpr Nanoseconds kUnlimited = INT64_MAX;
    VcpuId vcpu;
    Nanoseconds length;  // CPU time; kUnlimited: until it halts or is recalled
};

// Threads: none of its own; one at a time.
class PolicyCore {
  public:
    struct Options {
        uint32_t cpus = 1;
        Policy policy = Policy::kWeightedFair;
        // Fewer and longer leases where a guest has more vCPUs than its budget serves at once.
        Nanoseconds least_lease = kMillisecond / 2;
        Nanoseconds slice = 2 * kMillisecond;     // of a lease while others wait
        Nanoseconds ageing = 100 * kMillisecond;  // waiting so long is worth one step of priority
        bool in_step =
            true;  // periods are exactly as long as asked, not a bit longer or shorter: period_grid.h
    };
    explicit PolicyCore(const Options& options);
    ~PolicyCore();
    PolicyCore(const PolicyCore&) = delete;
    PolicyCore& operator=(const PolicyCore&) = delete;

    // --- who there is: these may allocate ---
    GuestId add_guest(const CpuQuota& quota, Nanoseconds now);
    VcpuId add_vcpu(GuestId guest, Nanoseconds now);    // halted
    void remove_vcpu(VcpuId vcpu, Nanoseconds now);     // in any state
    void remove_guest(GuestId guest, Nanoseconds now);  // after its vCPUs
    // Takes effect with the next lease; a debt or a budget under the old one isn't carried past its period.
    void set_quota(GuestId guest, const CpuQuota& quota, Nanoseconds now);
    void set_policy(Policy policy, Nanoseconds now);  // leases that are out stay
    void set_cpus(uint32_t cpus, Nanoseconds now);

    // --- what happened: none of these allocates. `used`: CPU time of the vCPU since it was last told ---
    void wake(VcpuId vcpu, Nanoseconds used,
              Nanoseconds now);  // halted before, ran meanwhile for `used`, wants to run
    void block(VcpuId vcpu, Nanoseconds used, Nanoseconds now);  // halted: its lease is given up
    void expire(VcpuId vcpu, Nanoseconds used,
                Nanoseconds now);  // its lease is over or was taken back; wants more
    void charge(VcpuId vcpu, Nanoseconds used, Nanoseconds now);  // a look in between, in any state
    void charge_io(GuestId guest, Nanoseconds used,
                   Nanoseconds now);  // work done for it by the process's threads

    // --- what to do: after each of the above, and at next_event() ---
    // When, if nothing happens before, something is to be granted. none: never.
    std::optional<Nanoseconds> next_event() const;
    // The next lease to give out; call it until there is none.
    std::optional<Lease> next_grant(Nanoseconds now);
    // A vCPU whose lease is to be taken back early since one waits that comes before it (or its lease has no
    // end and CPUs have become scarce); its end comes back as expire() or block(). Each is told once; call it
    // until there is none.
    std::optional<VcpuId> next_recall(Nanoseconds now);
    // Of a vCPU that runs: until when nothing follows from its lease being over, since its guest's budget is
    // spent and nobody waits for its CPU. none: something may follow at once.
    std::optional<Nanoseconds> quiet_until(VcpuId vcpu) const;
    // Whether the guest's slice for I/O has something left in this period.
    bool io_allowed(GuestId guest, Nanoseconds now);
    // Until when its period lasts: then its I/O is allowed again.
    Nanoseconds period_end(GuestId guest, Nanoseconds now);

    // --- what is ---
    struct GuestState {
        CpuQuota quota;
        Nanoseconds used = 0;  // by vCPUs, since it was added
        Nanoseconds used_io = 0;
        Nanoseconds budget = 0;  // left in this period; below 0: debt. Without a cap: 0
        uint32_t running = 0, waiting = 0, throttled = 0, halted = 0;  // vCPUs
    };
    GuestState guest(GuestId guest, Nanoseconds now);
    uint32_t cpus() const;
    Policy policy() const;
    bool contended() const;             // some vCPU waits for a CPU
    std::string text(Nanoseconds now);  // the whole state, for people

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace carrel::sched
