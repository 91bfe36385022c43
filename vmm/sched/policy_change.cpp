// Quotas and policies that change while everything runs.
#include <vector>

#include "vmm/sched/policy_state.h"

namespace carrel::sched {

void PolicyCore::State::change_quota(uint32_t guest_id, const CpuQuota& quota, Nanoseconds now) {
    GuestRecord& g = guests[guest_id];
    const bool was_capped = g.budget.capped();
    refresh(g, now);
    quotas[guest_id] = quota;
    g.rate = FairRate(quota.weight);
    g.budget.change(quota, now);
    judge_leases(guest_id, was_capped);
    requeue(g);
    settle(guest_id);
}

// Leases from before the cap are not charged to it, but called back; so are those longer than a whole new
// quota.
void PolicyCore::State::judge_leases(uint32_t guest_id, bool was_capped) {
    const GuestRecord& g = guests[guest_id];
    if (!g.budget.capped()) return;
    for (VcpuRecord& v : vcpus) {
        if (v.guest != guest_id || v.phase != Phase::kRunning) continue;
        if (!was_capped) v.exempt = true;
        if (v.recalled || v.unlawful || v.lease_left <= g.budget.quota()) continue;
        v.unlawful = true;
        ++unlawful;
    }
}

// New weight or priority, new keys.
void PolicyCore::State::requeue(GuestRecord& g) {
    for (uint32_t count = g.waiting.size(); count > 0; --count) {
        const uint32_t id = g.waiting.front();
        dequeue(id);
        admit(id, false);
    }
}

void PolicyCore::State::switch_policy(Policy policy) {
    std::vector<uint32_t> order;
    while (!waiting.empty()) {
        order.push_back(waiting.top().id);
        dequeue(order.back());
    }
    options.policy = policy;
    clock.reset();
    for (GuestRecord& g : guests) g.finish = clock.earliest(g.rate);
    for (uint32_t id = 0; id < vcpus.size(); ++id) {
        VcpuRecord& v = vcpus[id];
        v.nominal = 0;
        if (v.phase != Phase::kRunning) continue;
        v.uncontended = true;  // under the old policy: not held against it
        v.turn = static_cast<uint32_t>(turns++);
        v.key = key_of(v, guests[v.guest], false);
        if (v.recalled) continue;
        holders.erase(id);
        holders.push(id, v.reserved ? kReservedFirst - v.key : -v.key, ~v.turn);
    }
    for (const uint32_t id : order) admit(id, false);
    for (const uint32_t id : order) settle(vcpus[id].guest);
}

void PolicyCore::State::rebase() {
    const VirtualTime by = clock.now();
    for (GuestRecord& g : guests) g.finish = FairClock::rebased(g.finish, by);
    for (VcpuRecord& v : vcpus) v.key = FairClock::rebased(v.key, by);
    waiting.shift(by);
    holders.shift(-by);
    clock.reset();
}

}  // namespace carrel::sched
