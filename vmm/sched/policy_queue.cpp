// Who waits, in which order, and who may wait for a CPU at all.
#include "vmm/sched/policy_state.h"

namespace carrel::sched {
namespace {

// So that no priority, however written, meets the keys of the reserved ones.
constexpr int64_t kMostKey = int64_t{1} << 60;

int64_t priority_key(uint32_t priority, Nanoseconds ageing, Nanoseconds since) {
    int64_t key = 0;
    if (__builtin_mul_overflow(static_cast<int64_t>(priority), ageing, &key)) return kMostKey;
    return std::min(key, kMostKey - since) + since;
}

}  // namespace

// Each key stands while the vCPU waits. All that wait age alike, so that priority needs no other: who came
// `ageing` earlier is one step better.
int64_t PolicyCore::State::key_of(VcpuRecord& v, GuestRecord& g, bool woke) {
    switch (options.policy) {
        case Policy::kWeightedFair:
            v.nominal = g.rate.cost(expected_lease(g));
            return clock.start(g.finish, v.nominal, woke ? clock.earliest(g.rate) : clock.now());
        case Policy::kRoundRobin: return turns;
        case Policy::kPriority: return priority_key(quotas[v.guest].priority, options.ageing, v.wants_since);
        case Policy::kFcfs: return v.woke_at;
        case Policy::kSjf: return v.estimate;
    }
    return 0;
}

// What its next vCPU will probably use.
Nanoseconds PolicyCore::State::expected_lease(const GuestRecord& g) const {
    if (!g.budget.capped() || !g.budget.serves(1)) return options.slice;
    return std::min(options.slice, g.budget.lease(g.waiting.size() + g.throttled.size() + 1));
}

void PolicyCore::State::enqueue(uint32_t id, Nanoseconds now, bool woke) {
    const GuestRecord& g = guests[vcpus[id].guest];
    vcpus[id].wants_since = now;
    if (!g.throttled.empty() || !g.budget.serves(g.waiting.size() + 1))
        throttle(id);
    else
        admit(id, woke);
}

void PolicyCore::State::admit(uint32_t id, bool woke) {
    VcpuRecord& v = vcpus[id];
    GuestRecord& g = guests[v.guest];
    v.phase = Phase::kWaiting;
    v.turn = static_cast<uint32_t>(turns++);
    v.key = key_of(v, g, woke);
    g.waiting.append(vcpus, id);
    waiting.push(id, v.key, v.turn);
    // Under weighted fair who doesn't come from sleep is behind nobody that runs.
    if (options.policy == Policy::kPriority || (fair() && woke)) arrive(id);
}

void PolicyCore::State::arrive(uint32_t id) {
    if (vcpus[id].arrived) return;
    vcpus[id].arrived = true;
    arrivals.append(vcpus, id);
}

void PolicyCore::State::throttle(uint32_t id) {
    vcpus[id].phase = Phase::kThrottled;
    guests[vcpus[id].guest].throttled.append(vcpus, id);
}

void PolicyCore::State::leave_waiting(uint32_t id) {
    VcpuRecord& v = vcpus[id];
    GuestRecord& g = guests[v.guest];
    waiting.erase(id);
    g.waiting.remove(vcpus, id);
    if (v.arrived) arrivals.remove(vcpus, id);
    v.arrived = false;
    if (v.reserved) g.promoted = false;
}

void PolicyCore::State::dequeue(uint32_t id) {
    VcpuRecord& v = vcpus[id];
    GuestRecord& g = guests[v.guest];
    if (v.phase == Phase::kThrottled) {
        g.throttled.remove(vcpus, id);
        return;
    }
    leave_waiting(id);
    v.reserved = false;
    g.finish -= v.nominal;
    v.nominal = 0;
}

// The longest waiting of its vCPUs goes before all others while something is left of the reservation. One at
// a time: when it has its lease, the next one follows at once.
void PolicyCore::State::promote(GuestRecord& g) {
    if (!g.budget.reserves() || g.promoted || g.waiting.empty() || g.budget.reserve_left() <= 0) return;
    const uint32_t id = g.waiting.front();
    VcpuRecord& v = vcpus[id];
    v.reserved = g.promoted = true;
    waiting.erase(id);
    waiting.push(id, v.key - kReservedFirst, v.turn);
    arrive(id);
}

void PolicyCore::State::demote(uint32_t id) {
    VcpuRecord& v = vcpus[id];
    v.reserved = guests[v.guest].promoted = false;
    waiting.erase(id);
    waiting.push(id, v.key, v.turn);
}

void PolicyCore::State::settle(uint32_t guest_id) {
    GuestRecord& g = guests[guest_id];
    while (!g.throttled.empty() && g.budget.serves(g.waiting.size() + 1)) {
        const uint32_t id = g.throttled.front();
        g.throttled.remove(vcpus, id);
        admit(id, false);
    }
    promote(g);
    set_timer(guest_id);
}

void PolicyCore::State::set_timer(uint32_t guest_id) {
    const GuestRecord& g = guests[guest_id];
    std::optional<Nanoseconds> due;
    if (!g.throttled.empty()) due = g.budget.serves_at();
    if (g.budget.reserves() && !g.promoted && !g.waiting.empty()) due = g.budget.period_end();
    if (timers.contains(guest_id)) {
        if (due && timers.at(guest_id).key == *due) return;
        timers.erase(guest_id);
    }
    if (due) timers.push(guest_id, *due, guest_id);
}

// Each step leaves the guest's timer in a later period, or takes it away.
void PolicyCore::State::advance(Nanoseconds now) {
    while (!timers.empty() && timers.top().key <= now) {
        const uint32_t guest_id = timers.top().id;
        refresh(guests[guest_id], now);
        settle(guest_id);
        if (!timers.empty()) fetch_guest(timers.top().id);
    }
}

}  // namespace carrel::sched
