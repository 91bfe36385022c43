// What a PolicyCore knows, and its steps. For the policy_*.cpp files alone.
//
// Each vCPU is in one phase, and each phase is a place:
//   halted      nowhere
//   waiting     in `waiting` (the heap that says who is next) and in its guest's queue `waiting`
//   throttled   in its guest's queue `throttled`; the guest is in `timers`
//   running     in `holders` (the worst first), unless it has been recalled; in `long_leases`, if so
// Only as many vCPUs of a capped guest are in the heap as its budget can serve. So a guest with a thousand
// vCPUs and budget for one costs no more than one with one.
#pragma once

#include <vector>

#include "vmm/sched/budget.h"
#include "vmm/sched/fair_clock.h"
#include "vmm/sched/indexed_heap.h"
#include "vmm/sched/policy_core.h"
#include "vmm/sched/vcpu_queue.h"

namespace carrel::sched {

enum class Phase : uint8_t { kGone, kHalted, kWaiting, kThrottled, kRunning };

// With 10,000 vCPUs what counts is how many lines of the cache each step touches: two here, three of a guest.
struct alignas(64) VcpuRecord {
    uint32_t guest = 0;
    Phase phase = Phase::kGone;
    bool reserved = false;         // waits or runs by its guest's reservation: before all others
    bool recalled = false;         // its lease
    bool exempt = false;           // its lease was granted while its guest had no cap
    bool unlawful = false;         // its guest's new quota doesn't allow its lease
    bool uncontended = false;      // nobody waited when its lease was granted
    bool arrived = false;          // in `arrivals`
    bool has_long = false;         // in `long_leases`
    Links queue;                   // its guest's waiting or throttled ones
    uint32_t turn = 0;             // when it queued
    int64_t key = 0;               // the policy's; the smaller goes first
    Nanoseconds granted_at = 0;    // its lease
    Nanoseconds lease_left = 0;    // of a lease with an end
    Nanoseconds lease_used = 0;    // of any lease
    Nanoseconds lease_period = 0;  // the begin of that in which it was paid

    VirtualTime nominal = 0;       // what it has moved its guest's finish tag on by
    Nanoseconds wants_since = 0;   // since when it is not running and not halted
    Nanoseconds woke_at = 0;       // the begin of its burst
    Nanoseconds burst = 0;         // CPU time since then
    Nanoseconds estimate = 0;      // of a burst
    Nanoseconds reserve_left = 0;  // of what its lease took of the reservation
    Links arrival;
    Links long_lease;
};
static_assert(sizeof(VcpuRecord) == 128);

using WaitQueue = VcpuQueue<VcpuRecord, &VcpuRecord::queue>;

struct alignas(64) GuestRecord {
    GuestRecord(const CpuQuota& quota, const PolicyCore::Options& o, Nanoseconds now)
        : budget(quota, o.least_lease, o.in_step, now), rate(quota.weight) {}
    Budget budget;
    VirtualTime finish = 0;
    FairRate rate;
    bool exists = true;
    bool promoted = false;  // one of its waiting vCPUs is `reserved`
    WaitQueue waiting, throttled;
    uint32_t running = 0, vcpus = 0;
    Nanoseconds used = 0, used_io = 0;
};
static_assert(sizeof(GuestRecord) == 192);

struct PolicyCore::State {
    explicit State(const Options& o) : options(o), clock(o.slice) {}

    // policy_core.cpp
    VcpuRecord& vcpu(VcpuId id);
    GuestRecord& guest(GuestId id);
    void account(uint32_t id, Nanoseconds used, Nanoseconds now);

    // policy_queue.cpp: who waits
    void refresh(GuestRecord& g, Nanoseconds now) {
        g.budget.refresh(now, !g.throttled.empty() || !g.waiting.empty());
    }
    void settle(uint32_t guest_id);  // after its period, its budget or its vCPUs changed
    void enqueue(uint32_t id, Nanoseconds now, bool woke);
    void admit(uint32_t id, bool woke);
    void arrive(uint32_t id);  // it may be better than one that runs
    void throttle(uint32_t id);
    void leave_waiting(uint32_t id);  // to run
    void dequeue(uint32_t id);        // a waiting or throttled one, for another reason
    void promote(GuestRecord& g);
    void demote(uint32_t id);
    void set_timer(uint32_t guest_id);
    void advance(Nanoseconds now);  // what is due by time
    Nanoseconds expected_lease(const GuestRecord& g) const;
    int64_t key_of(VcpuRecord& v, GuestRecord& g, bool woke);

    // policy_lease.cpp: who runs
    std::optional<uint32_t> front(Nanoseconds now);
    Lease grant(uint32_t id, Nanoseconds now);
    Nanoseconds lease_length(const VcpuRecord& v, const GuestRecord& g, uint32_t runnable) const;
    void pay(VcpuRecord& v, GuestRecord& g, Nanoseconds length);
    void hold(uint32_t id);
    void end_lease(uint32_t id, bool wants_more);
    void give_back(VcpuRecord& v, GuestRecord& g, bool wants_more);
    std::optional<uint32_t> whom_to_recall(Nanoseconds now);
    bool preempts(uint32_t waiter, Nanoseconds now);
    void recall(uint32_t id);

    // policy_change.cpp: quotas and policies that change
    void change_quota(uint32_t guest_id, const CpuQuota& quota, Nanoseconds now);
    void judge_leases(uint32_t guest_id, bool was_capped);
    void requeue(GuestRecord& g);
    void switch_policy(Policy policy);
    void rebase();

    // The records of who is probably next come while there is other work.
    void fetch_vcpu(uint32_t id) const {
        fetch(vcpus[id]);
        fetch_guest(guest_of[id]);
    }
    void fetch_guest(uint32_t id) const { fetch(guests[id]); }
    template <class Record>
    static void fetch(const Record& record) {
        for (size_t line = 0; line < sizeof(Record); line += alignof(Record))
            __builtin_prefetch(reinterpret_cast<const char*>(&record) + line, 1);
    }

    bool slices() const { return options.policy != Policy::kFcfs && options.policy != Policy::kSjf; }
    bool fair() const { return options.policy == Policy::kWeightedFair; }
    bool free_slot() const { return running < options.cpus; }

    Options options;
    FairClock clock;
    std::vector<GuestRecord> guests;
    std::vector<CpuQuota> quotas;  // by guest, as they were given
    std::vector<VcpuRecord> vcpus;
    std::vector<uint32_t> guest_of;  // by vCPU: small enough to stay in the cache
    std::vector<uint32_t> free_guests, free_vcpus;
    IndexedHeap waiting;                                   // by vCPU
    IndexedHeap holders;                                   // by vCPU; the key is that of `waiting`, negated
    IndexedHeap timers;                                    // by guest: when a period begins that matters
    VcpuQueue<VcpuRecord, &VcpuRecord::arrival> arrivals;  // waiting, not yet held against the holders
    VcpuQueue<VcpuRecord, &VcpuRecord::long_lease> long_leases;  // longer than a slice; the oldest first
    int64_t turns = 0;                                           // so many have queued
    uint32_t running = 0;                                        // leases that are out
    uint32_t recalled = 0;                                       // of these
    uint32_t unlawful = 0;                                       // of these
};

// Keys of reserved vCPUs are before all others.
inline constexpr int64_t kReservedFirst = int64_t{1} << 62;

}  // namespace carrel::sched
