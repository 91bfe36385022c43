#include "vmm/sched/lease_holder.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

namespace carrel::sched {

Result<void> LeaseHolder::begin() {
    TRY_ASSIGN(KickTimer wall, KickTimer::create(CLOCK_MONOTONIC));
    TRY_ASSIGN(KickTimer cpu, KickTimer::create(CLOCK_THREAD_CPUTIME_ID));
    wall_.emplace(std::move(wall));
    cpu_.emplace(std::move(cpu));
    before_ = share().cpu.load(std::memory_order_relaxed);
    share().thread.store(::gettid(), std::memory_order_release);
    return {};
}

// What it has left of its lease, and has used of it, is told before the thread goes: its place may stay.
void LeaseHolder::end() {
    if (!wall_) return;
    share().thread.store(0, std::memory_order_release);
    give_up_lease(cpu_time(), monotonic_time());
    wall_.reset();
    cpu_.reset();
    priority_.lower();
}

bool LeaseHolder::look() {
    const Nanoseconds cpu = cpu_time();
    if (reserve_end_ != 0) {
        if (cpu < reserve_end_) return true;  // kicked for another reason
        reserve_end_ = 0;
        priority_.lower();
        return park(cpu);
    }
    const int64_t lease_end = share().lease_end.load(std::memory_order_acquire);
    const bool taken_back = lease_end == VcpuShare::kNoLease;
    const bool used_up = lease_end - cpu <= kLeastRest;
    // One that has used its lease up hasn't just been halted all the time.
    if ((!used_up || taken_back) && vcpu_.is_halted()) {
        rest_in_halt(cpu);
        return true;
    }
    if (used_up) return park(cpu);
    if (lease_end != VcpuShare::kUnlimited) arm(lease_end - cpu);  // others had the CPU meanwhile
    return true;
}

void LeaseHolder::report(VcpuReport what, Nanoseconds cpu, Nanoseconds now) {
    const uint32_t grant = reported_grant_ = share().grant.load(std::memory_order_relaxed);
    share().cpu.store(cpu, std::memory_order_relaxed);
    share().reported_at.store(now, std::memory_order_relaxed);
    share().report.store(VcpuShare::pack(what, grant), std::memory_order_release);
    board_.report(place_);
    // After it stands in the list: the scheduler clears `quiet` first and takes the list then.
    const bool may_wait = what == VcpuReport::kWaiting && share().quiet.load(std::memory_order_seq_cst) != 0;
    if (!may_wait) board_.ring();
}

// KVM wakes it without us, and it must not wait for a round through the scheduler then.
void LeaseHolder::rest_in_halt(Nanoseconds cpu) {
    const Nanoseconds now = monotonic_time();
    wall_->disarm(now);
    reserve_end_ = cpu + kReserve;
    cpu_->arm(reserve_end_ - before_);
    priority_.raise();
    give_up_lease(cpu, now);
}

void LeaseHolder::step_aside() {
    if (reserve_end_ != 0) return;  // it has no lease
    const Nanoseconds now = monotonic_time();
    wall_->disarm(now);
    give_up_lease(cpu_time(), now);
}

// The scheduler grants another one only when it has been asked, so nothing of its is overwritten.
void LeaseHolder::give_up_lease(Nanoseconds cpu, Nanoseconds now) {
    share().lease_end.store(VcpuShare::kNoLease, std::memory_order_relaxed);
    share().quiet.store(0, std::memory_order_relaxed);  // what it asks for next is another matter
    report(VcpuReport::kHalted, cpu, now);
}

bool LeaseHolder::park(Nanoseconds cpu) {
    vcpu_.on_hold();
    const Nanoseconds now = monotonic_time();
    wall_->disarm(now);
    report(VcpuReport::kWaiting, cpu, now);
    const Nanoseconds waited = wait_for_lease(cpu);
    vcpu_.on_held(waited);
    const int64_t lease_end = share().lease_end.load(std::memory_order_acquire);
    const bool granted = lease_end > cpu;
    if (granted && lease_end != VcpuShare::kUnlimited) arm(lease_end - cpu);
    return granted;
}

// Only the sleep itself is a wait for quota, and only until the grant: what a thread that may run waits
// before and after is for a host CPU, and the kernel counts it (run_delay), for us and in the guest's steal
// time.
Nanoseconds LeaseHolder::wait_for_lease(Nanoseconds cpu) {
    VcpuShare& share = this->share();
    Nanoseconds waited = 0;
    for (;;) {
        const uint32_t seen = share.word.load(std::memory_order_acquire);
        if (share.lease_end.load(std::memory_order_acquire) > cpu || vcpu_.is_stopped()) return waited;
        // One that was granted and taken back before this thread woke counts as running until it says
        // otherwise.
        const Nanoseconds from = monotonic_time();
        if (share.grant.load(std::memory_order_relaxed) != reported_grant_)
            report(VcpuReport::kWaiting, cpu, from);
        share.parked_since.store(from, std::memory_order_relaxed);
        (void)futex_wait(share.word, seen, std::nullopt);
        // Woken by a grant, which may have been taken back before this thread ran: there is one at most
        // until it reports again.
        const bool granted = share.grant.load(std::memory_order_acquire) != reported_grant_;
        const Nanoseconds until =
            granted ? share.granted_at.load(std::memory_order_relaxed) : monotonic_time();
        const Nanoseconds slept = std::max<Nanoseconds>(until - from, 0);
        waited += slept;
        share.quota_waits.store(share.quota_waits.load(std::memory_order_relaxed) + slept,
                                std::memory_order_relaxed);
        share.parked_since.store(0, std::memory_order_release);
    }
}

void LeaseHolder::arm(Nanoseconds rest) {
    wall_->arm(monotonic_time() + rest);
}

}  // namespace carrel::sched
