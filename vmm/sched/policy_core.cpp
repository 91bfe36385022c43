#include "vmm/sched/policy_core.h"

#include <algorithm>

#include "vmm/base/check.h"
#include "vmm/sched/policy_state.h"

namespace carrel::sched {
namespace {

// A free place of the table, or a new one at its end.
template <class Record>
uint32_t place_for(std::vector<Record>& records, std::vector<uint32_t>& free, const Record& record) {
    if (free.empty()) {
        records.push_back(record);
        return static_cast<uint32_t>(records.size() - 1);
    }
    const uint32_t id = free.back();
    free.pop_back();
    records[id] = record;
    return id;
}

constexpr uint32_t number(VcpuId id) {
    return static_cast<uint32_t>(id);
}
constexpr uint32_t number(GuestId id) {
    return static_cast<uint32_t>(id);
}

}  // namespace

VcpuRecord& PolicyCore::State::vcpu(VcpuId id) {
    CHECK(number(id) < vcpus.size() && vcpus[number(id)].phase != Phase::kGone);
    return vcpus[number(id)];
}

GuestRecord& PolicyCore::State::guest(GuestId id) {
    CHECK(number(id) < guests.size() && guests[number(id)].exists);
    return guests[number(id)];
}

// A lease is paid already: what goes beyond it, or was used without one, is charged now.
void PolicyCore::State::account(uint32_t id, Nanoseconds used, Nanoseconds now) {
    VcpuRecord& v = vcpus[id];
    GuestRecord& g = guests[v.guest];
    refresh(g, now);
    g.used += used;
    v.burst += used;
    Nanoseconds unpaid = used;
    Nanoseconds reserved = 0;
    if (v.phase == Phase::kRunning) {
        v.lease_used += used;
        reserved = std::min(used, v.reserve_left);
        v.reserve_left -= reserved;
        unpaid -= std::min(used, v.lease_left);
        if (v.lease_left != Lease::kUnlimited) v.lease_left -= used - unpaid;
        if (v.exempt) unpaid = 0;
    } else if (fair()) {
        g.finish += g.rate.cost(used);
    }
    g.budget.spend(unpaid);
    g.budget.use_reserve(std::min(used - reserved, std::max<Nanoseconds>(now - g.budget.period_begin(), 0)));
}

PolicyCore::PolicyCore(const Options& options) : state_(std::make_unique<State>(options)) {
    CHECK(options.cpus > 0 && options.slice > 0 && options.least_lease > 0 && options.ageing >= 0);
}
PolicyCore::~PolicyCore() = default;

GuestId PolicyCore::add_guest(const CpuQuota& quota, Nanoseconds now) {
    State& s = *state_;
    const uint32_t id = place_for(s.guests, s.free_guests, GuestRecord(quota, s.options, now));
    s.quotas.resize(s.guests.size());
    s.quotas[id] = quota;
    s.guests[id].finish = s.clock.earliest(s.guests[id].rate);
    s.timers.reserve(s.guests.size());
    return GuestId{id};
}

VcpuId PolicyCore::add_vcpu(GuestId guest, Nanoseconds now) {
    State& s = *state_;
    GuestRecord& g = s.guest(guest);
    VcpuRecord record;
    record.guest = number(guest);
    record.phase = Phase::kHalted;
    record.woke_at = now;
    record.estimate = s.quotas[number(guest)].expected_burst.value_or(s.options.slice);
    const uint32_t id = place_for(s.vcpus, s.free_vcpus, record);
    s.guest_of.resize(s.vcpus.size());
    s.guest_of[id] = number(guest);
    s.waiting.reserve(s.vcpus.size());
    s.holders.reserve(s.vcpus.size());
    ++g.vcpus;
    return VcpuId{id};
}

void PolicyCore::remove_vcpu(VcpuId vcpu, Nanoseconds now) {
    block(vcpu, 0, now);
    State& s = *state_;
    VcpuRecord& v = s.vcpu(vcpu);
    v.phase = Phase::kGone;
    --s.guests[v.guest].vcpus;
    s.free_vcpus.push_back(number(vcpu));
}

void PolicyCore::remove_guest(GuestId guest, Nanoseconds) {
    State& s = *state_;
    GuestRecord& g = s.guest(guest);
    CHECK(g.vcpus == 0 && !s.timers.contains(number(guest)));
    g.exists = false;
    s.free_guests.push_back(number(guest));
}

void PolicyCore::set_quota(GuestId guest, const CpuQuota& quota, Nanoseconds now) {
    (void)state_->guest(guest);
    state_->change_quota(number(guest), quota, now);
}

void PolicyCore::set_policy(Policy policy, Nanoseconds) {
    if (policy != state_->options.policy) state_->switch_policy(policy);
}

void PolicyCore::set_cpus(uint32_t cpus, Nanoseconds) {
    CHECK(cpus > 0);
    state_->options.cpus = cpus;
}

void PolicyCore::wake(VcpuId vcpu, Nanoseconds used, Nanoseconds now) {
    State& s = *state_;
    VcpuRecord& v = s.vcpu(vcpu);
    if (v.phase == Phase::kHalted) {
        v.burst = 0;
        v.woke_at = now;
    }
    s.account(number(vcpu), used, now);
    if (v.phase == Phase::kHalted) s.enqueue(number(vcpu), now, true);
    s.settle(v.guest);
}

void PolicyCore::block(VcpuId vcpu, Nanoseconds used, Nanoseconds now) {
    State& s = *state_;
    VcpuRecord& v = s.vcpu(vcpu);
    s.account(number(vcpu), used, now);
    if (v.phase == Phase::kRunning) s.end_lease(number(vcpu), false);
    if (v.phase == Phase::kWaiting || v.phase == Phase::kThrottled) s.dequeue(number(vcpu));
    if (v.phase != Phase::kHalted && v.burst > 0) v.estimate = (v.estimate + v.burst) / 2;
    v.phase = Phase::kHalted;
    s.settle(v.guest);
}

void PolicyCore::expire(VcpuId vcpu, Nanoseconds used, Nanoseconds now) {
    State& s = *state_;
    VcpuRecord& v = s.vcpu(vcpu);
    s.account(number(vcpu), used, now);
    if (v.phase == Phase::kRunning) {
        s.end_lease(number(vcpu), true);
        s.enqueue(number(vcpu), now, false);
    }
    s.settle(v.guest);
}

void PolicyCore::charge(VcpuId vcpu, Nanoseconds used, Nanoseconds now) {
    const VcpuRecord& v = state_->vcpu(vcpu);
    state_->account(number(vcpu), used, now);
    state_->settle(v.guest);
}

void PolicyCore::charge_io(GuestId guest, Nanoseconds used, Nanoseconds now) {
    State& s = *state_;
    GuestRecord& g = s.guest(guest);
    s.refresh(g, now);
    g.used_io += used;
    g.budget.spend_io(used);
    g.budget.use_reserve(used);
    if (s.fair()) g.finish += g.rate.cost(used);
    s.settle(number(guest));
}

std::optional<Nanoseconds> PolicyCore::next_event() const {
    const State& s = *state_;
    std::optional<Nanoseconds> next;
    if (!s.timers.empty()) next = s.timers.top().key;
    if (s.slices() && !s.free_slot() && !s.long_leases.empty() && s.waiting.size() > s.recalled) {
        const Nanoseconds due = s.vcpus[s.long_leases.front()].granted_at + s.options.slice;
        next = std::min(next.value_or(due), due);
    }
    return next;
}

std::optional<Nanoseconds> PolicyCore::quiet_until(VcpuId vcpu) const {
    const GuestRecord& g = state_->guests[state_->vcpu(vcpu).guest];
    if (!g.budget.capped() || g.budget.serves(1) || contended()) return std::nullopt;
    return g.budget.period_end();
}

std::optional<Lease> PolicyCore::next_grant(Nanoseconds now) {
    State& s = *state_;
    s.advance(now);
    if (!s.free_slot()) return std::nullopt;
    const auto id = s.front(now);
    return id ? std::optional(s.grant(*id, now)) : std::nullopt;
}

std::optional<VcpuId> PolicyCore::next_recall(Nanoseconds now) {
    State& s = *state_;
    s.advance(now);
    const auto id = s.whom_to_recall(now);
    if (!id) return std::nullopt;
    s.recall(*id);
    return VcpuId{*id};
}

bool PolicyCore::io_allowed(GuestId guest, Nanoseconds now) {
    GuestRecord& g = state_->guest(guest);
    state_->refresh(g, now);
    state_->settle(number(guest));
    return g.budget.io_left();
}

Nanoseconds PolicyCore::period_end(GuestId guest, Nanoseconds now) {
    GuestRecord& g = state_->guest(guest);
    state_->refresh(g, now);
    state_->settle(number(guest));
    return g.budget.period_end();
}

PolicyCore::GuestState PolicyCore::guest(GuestId guest, Nanoseconds now) {
    GuestRecord& g = state_->guest(guest);
    state_->refresh(g, now);
    state_->settle(number(guest));
    const uint32_t busy = g.running + g.waiting.size() + g.throttled.size();
    return {state_->quotas[number(guest)],
            g.used,
            g.used_io,
            g.budget.left(),
            g.running,
            g.waiting.size(),
            g.throttled.size(),
            g.vcpus - busy};
}

uint32_t PolicyCore::cpus() const {
    return state_->options.cpus;
}
Policy PolicyCore::policy() const {
    return state_->options.policy;
}
bool PolicyCore::contended() const {
    return !state_->waiting.empty();
}

}  // namespace carrel::sched
