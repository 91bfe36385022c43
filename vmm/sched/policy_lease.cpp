// Who runs: leases are granted, recalled, and end.
#include "vmm/sched/policy_state.h"

namespace carrel::sched {

// The first that waits and may run. Budgets and reservations may have been used up while it waited.
std::optional<uint32_t> PolicyCore::State::front(Nanoseconds now) {
    while (!waiting.empty()) {
        const uint32_t id = waiting.top().id;
        const uint32_t guest_id = vcpus[id].guest;
        GuestRecord& g = guests[guest_id];
        refresh(g, now);
        if (!g.budget.serves(1)) {
            dequeue(id);
            throttle(id);
        } else if (vcpus[id].reserved && g.budget.reserve_left() <= 0) {
            demote(id);
        } else {
            return id;
        }
        settle(guest_id);
    }
    return std::nullopt;
}

Lease PolicyCore::State::grant(uint32_t id, Nanoseconds now) {
    VcpuRecord& v = vcpus[id];
    GuestRecord& g = guests[v.guest];
    const uint32_t runnable = g.waiting.size() + g.throttled.size();
    leave_waiting(id);
    ++running;
    ++g.running;
    v.phase = Phase::kRunning;
    v.granted_at = now;
    v.uncontended = waiting.size() <= options.cpus - running;
    if (options.policy == Policy::kWeightedFair) clock.advance(v.key);
    const Nanoseconds length = lease_length(v, g, runnable);
    pay(v, g, length);
    hold(id);
    settle(v.guest);
    if (clock.overdue()) rebase();
    if (!waiting.empty()) fetch_vcpu(waiting.top().id);
    return {VcpuId{id}, length};
}

Nanoseconds PolicyCore::State::lease_length(const VcpuRecord& v, const GuestRecord& g,
                                            uint32_t runnable) const {
    Nanoseconds length = Lease::kUnlimited;
    if (!v.uncontended) {
        if (slices()) length = options.slice;
        if (v.reserved) length = std::min(length, std::max(g.budget.reserve_left(), options.least_lease / 4));
    }
    return g.budget.capped() ? std::min(length, g.budget.lease(runnable)) : length;
}

void PolicyCore::State::pay(VcpuRecord& v, GuestRecord& g, Nanoseconds length) {
    v.lease_left = length;
    v.lease_used = 0;
    v.lease_period = g.budget.period_begin();
    v.exempt = !g.budget.capped();
    if (!v.exempt) g.budget.spend(length);
    // Longer than the reservation: it is no privilege, but there was nobody else.
    if (v.uncontended && length > g.budget.reserve_left()) v.reserved = false;
    v.reserve_left = v.reserved ? length : 0;
    g.budget.use_reserve(v.reserve_left);
}

void PolicyCore::State::hold(uint32_t id) {
    VcpuRecord& v = vcpus[id];
    holders.push(id, v.reserved ? kReservedFirst - v.key : -v.key, ~v.turn);
    v.has_long = v.lease_left > options.slice;
    if (v.has_long) long_leases.append(vcpus, id);
}

void PolicyCore::State::recall(uint32_t id) {
    VcpuRecord& v = vcpus[id];
    holders.erase(id);
    if (v.has_long) long_leases.remove(vcpus, id);
    v.has_long = false;
    v.recalled = true;
    ++recalled;
}

void PolicyCore::State::end_lease(uint32_t id, bool wants_more) {
    VcpuRecord& v = vcpus[id];
    GuestRecord& g = guests[v.guest];
    if (v.recalled)
        --recalled;
    else
        holders.erase(id);
    if (v.has_long) long_leases.remove(vcpus, id);
    if (v.unlawful) --unlawful;
    v.recalled = v.has_long = v.unlawful = v.reserved = false;
    --running;
    --g.running;
    give_back(v, g, wants_more);
}

// What it didn't want in the period in which it was paid is lost; what it was recalled from isn't.
void PolicyCore::State::give_back(VcpuRecord& v, GuestRecord& g, bool wants_more) {
    if (wants_more || v.lease_period == g.budget.period_begin()) {
        if (!v.exempt) g.budget.give_back(v.lease_left);
        g.budget.use_reserve(-v.reserve_left);
    }
    v.lease_left = v.reserve_left = 0;
    if (!fair()) return;
    g.finish += g.rate.cost(v.lease_used) - v.nominal;
    v.nominal = 0;
    // What it used while nobody else wanted it isn't held against it.
    if (v.uncontended) clock.advance(g.finish);
}

bool PolicyCore::State::preempts(uint32_t waiter, Nanoseconds now) {
    const VcpuRecord& v = vcpus[waiter];
    if (holders.empty() || !guests[v.guest].budget.serves(1)) return false;
    const VcpuRecord& worst = vcpus[holders.top().id];
    if (v.reserved != worst.reserved) return v.reserved;
    if (options.policy == Policy::kPriority) return v.key < worst.key;
    if (!fair()) return false;
    const VirtualTime ran = guests[worst.guest].rate.cost(now - worst.granted_at);
    return v.key < worst.key + ran;
}

// Who comes is held against the worst holder once: keys don't change while one waits or runs. Apart from
// that, leases longer than a slice give way, the oldest first, as soon as somebody waits and they had their
// slice.
std::optional<uint32_t> PolicyCore::State::whom_to_recall(Nanoseconds now) {
    if (unlawful > 0)
        for (const IndexedHeap::Entry& holder : holders.entries())
            if (vcpus[holder.id].unlawful) return holder.id;
    if (running - recalled > options.cpus) return holders.top().id;
    if (free_slot()) return std::nullopt;
    while (!arrivals.empty() && waiting.size() > recalled) {
        const uint32_t waiter = arrivals.front();
        arrivals.remove(vcpus, waiter);
        vcpus[waiter].arrived = false;
        if (preempts(waiter, now)) return holders.top().id;
    }
    if (!slices() || long_leases.empty()) return std::nullopt;
    const uint32_t oldest = long_leases.front();
    const bool due = vcpus[oldest].granted_at + options.slice <= now;
    // Some that seem to wait have no budget left: front() knows them.
    return due && front(now) && waiting.size() > recalled ? std::optional(oldest) : std::nullopt;
}

}  // namespace carrel::sched
