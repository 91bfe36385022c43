// A PolicyCore's state for people.
#include <fmt/core.h>

#include "vmm/sched/policy_state.h"

namespace carrel::sched {
namespace {

double ms(Nanoseconds time) {
    return static_cast<double>(time) / static_cast<double>(kMillisecond);
}

const char* phase_name(Phase phase) {
    switch (phase) {
        case Phase::kGone: return "gone";
        case Phase::kHalted: return "halted";
        case Phase::kWaiting: return "waiting";
        case Phase::kThrottled: return "throttled";
        case Phase::kRunning: return "running";
    }
    return "";
}

std::string vcpu_text(uint32_t id, const VcpuRecord& v, Nanoseconds now) {
    std::string text = fmt::format("    vcpu {}: {}", id, phase_name(v.phase));
    if (v.phase == Phase::kWaiting || v.phase == Phase::kThrottled)
        text += fmt::format(" for {:.3f} ms, key {}", ms(now - v.wants_since), v.key);
    if (v.phase == Phase::kRunning) {
        text += v.lease_left == Lease::kUnlimited ? " without end"
                                                  : fmt::format(", {:.3f} ms left", ms(v.lease_left));
        text += fmt::format(", granted {:.3f} ms ago", ms(now - v.granted_at));
    }
    if (v.reserved) text += ", by reservation";
    if (v.recalled) text += ", recalled";
    return text + "\n";
}

std::string guest_text(uint32_t id, const GuestRecord& g, const CpuQuota& quota) {
    std::string text = fmt::format("  guest {}: weight {}, used {:.3f} ms, I/O {:.3f} ms", id, quota.weight,
                                   ms(g.used), ms(g.used_io));
    if (g.budget.capped())
        text += fmt::format(", cap {}, {:.3f} ms left until {:.3f} ms", cpu_share_text(*quota.cap),
                            ms(g.budget.left()), ms(g.budget.period_end()));
    if (g.budget.reserves())
        text += fmt::format(", reserve {}, {:.3f} ms left", cpu_share_text(quota.reserve),
                            ms(g.budget.reserve_left()));
    return text + "\n";
}

}  // namespace

std::string PolicyCore::text(Nanoseconds now) {
    State& s = *state_;
    std::string text =
        fmt::format("{} on {} CPUs: {} leases out, {} recalled, {} vCPUs wait, virtual time {}\n",
                    policy_name(s.options.policy), s.options.cpus, s.running, s.recalled, s.waiting.size(),
                    s.clock.now());
    for (uint32_t guest = 0; guest < s.guests.size(); ++guest) {
        if (!s.guests[guest].exists) continue;
        s.refresh(s.guests[guest], now);
        s.settle(guest);
        text += guest_text(guest, s.guests[guest], s.quotas[guest]);
        for (uint32_t id = 0; id < s.vcpus.size(); ++id)
            if (s.vcpus[id].guest == guest && s.vcpus[id].phase != Phase::kGone)
                text += vcpu_text(id, s.vcpus[id], now);
    }
    return text;
}

}  // namespace carrel::sched
