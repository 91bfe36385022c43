#include "vmm/sched/budget.h"

#include <algorithm>

namespace carrel::sched {
namespace {

constexpr Nanoseconds part_of(CpuShare share, Nanoseconds period) {
    return share * period / kWholeCpu;
}

// As much of `quota` as `spent` is of `old_quota`: to the millionth.
Nanoseconds same_part(Nanoseconds spent, Nanoseconds old_quota, Nanoseconds quota) {
    constexpr Nanoseconds kWhole = 1'000'000;
    return std::clamp(spent, -old_quota, old_quota) * kWhole / old_quota * quota / kWhole;
}

}  // namespace

Budget::Budget(const CpuQuota& quota, Nanoseconds least_lease, bool in_step, Nanoseconds now)
    : least_lease_(least_lease), in_step_(in_step), grid_(quota.period, in_step, now) {
    take_over(quota);
    pool_ = vcpus_part();
    io_ = io_slice();
}

void Budget::take_over(const CpuQuota& quota) {
    capped_ = quota.cap.has_value();
    cap_ = quota.cap.value_or(0);
    reserve_share_ = quota.reserve;
    burst_ = quota.burst;
    measure();
}

// What this period's length makes of the shares. Leases end late, and the debt mustn't cost a turn: up to a
// quarter may be missing of a lease; of quotas so small that they are saved up for one, less than a period's.
void Budget::measure() {
    quota_ = std::max<Nanoseconds>(part_of(cap_, grid_.length()), 1);
    reserve_ = part_of(reserve_share_, grid_.length());
    worth_ = std::max<Nanoseconds>(least_lease_ - std::min(least_lease_ / 4, quota_ * 3 / 4), 1);
}

void Budget::change(const CpuQuota& quota, Nanoseconds now) {
    const bool was_capped = capped_;
    const Nanoseconds spent = vcpus_part() - pool_;
    const Nanoseconds spent_io = io_slice() - io_;
    const Nanoseconds old_quota = quota_;
    const bool another_period = quota.period != grid_.period();
    if (!was_capped || another_period) grid_ = PeriodGrid(quota.period, in_step_, now);
    take_over(quota);
    if (!was_capped) {
        pool_ = vcpus_part();
        io_ = io_slice();
    } else if (!another_period) {
        pool_ = vcpus_part() - spent;
        io_ = io_slice() - spent_io;
    } else {
        pool_ = vcpus_part() - same_part(spent, old_quota, quota_);
        io_ = io_slice() - same_part(spent_io, old_quota, quota_);
    }
    forgive_ = true;
}

bool Budget::begin(Nanoseconds now, bool wanted) {
    const Nanoseconds ended = grid_.end();
    const Nanoseconds length = grid_.length();
    grid_.advance(now);
    if (grid_.length() != length) measure();
    reserve_used_ = 0;
    if (capped_) refill(grid_.begin() - ended, wanted);
    return true;
}

// What I/O left of the period that ended is the vCPUs' in the next. In periods that were skipped nothing was
// spent, since nobody looked.
void Budget::refill(Nanoseconds skipped, bool wanted) {
    if (forgive_) pool_ = std::max<Nanoseconds>(pool_, 0);
    forgive_ = false;
    const Nanoseconds most = wanted ? std::max(burst_, least_lease_) : burst_;
    pool_ = std::min(pool_, most) + std::max<Nanoseconds>(io_, 0);
    io_ = io_slice();
    if (skipped > 0) {
        const Nanoseconds missing = std::max<Nanoseconds>(most - pool_, 0);
        const Nanoseconds enough = (missing / quota_ + 3) * grid_.period();
        const Nanoseconds earned = part_of(cap_, std::min(skipped, enough));
        pool_ = std::min(pool_ + earned - io_slice(), most) + io_slice();
    }
    pool_ += vcpus_part();
}

Nanoseconds Budget::lease(uint32_t runnable) const {
    if (runnable <= 1) return pool_;
    return pool_ / std::max<Nanoseconds>(std::min<Nanoseconds>(pool_ / worth_, runnable), 1);
}

Nanoseconds Budget::serves_at() const {
    const Nanoseconds kept = forgive_ ? std::max<Nanoseconds>(pool_, 0) : pool_;
    const Nanoseconds after_first = kept + vcpus_part() + std::max<Nanoseconds>(io_, 0);
    if (after_first >= worth_) return period_end();
    const Nanoseconds earned_in = ((worth_ - after_first) * kWholeCpu + cap_ - 1) / cap_;
    PeriodGrid then = grid_;
    then.advance(period_end() + earned_in - 1);
    return then.end();  // a period's part comes with its begin
}

void Budget::spend_io(Nanoseconds time) {
    const Nanoseconds from_slice = std::clamp<Nanoseconds>(io_, 0, time);
    io_ -= from_slice;
    pool_ -= time - from_slice;
}

}  // namespace carrel::sched
