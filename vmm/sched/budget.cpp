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

Budget::Budget(const CpuQuota& quota, Nanoseconds least_lease, Nanoseconds now)
    : least_lease_(least_lease), start_(now) {
    take_over(quota);
    pool_ = vcpus_part();
    io_ = io_slice_;
}

// Leases end late, and the debt mustn't cost a turn: up to a quarter may be missing of a lease; of quotas so
// small that they are saved up for one, less than a period's.
void Budget::take_over(const CpuQuota& quota) {
    capped_ = quota.cap.has_value();
    period_ = quota.period;
    quota_ = std::max<Nanoseconds>(part_of(quota.cap.value_or(0), period_), 1);
    io_slice_ = quota_ / kIoPart;
    burst_ = quota.burst;
    reserve_ = part_of(quota.reserve, period_);
    worth_ = std::max<Nanoseconds>(least_lease_ - std::min(least_lease_ / 4, quota_ * 3 / 4), 1);
}

void Budget::change(const CpuQuota& quota, Nanoseconds now) {
    const bool was_capped = capped_;
    const Nanoseconds spent = vcpus_part() - pool_;
    const Nanoseconds spent_io = io_slice_ - io_;
    const Nanoseconds old_quota = quota_;
    const Nanoseconds old_period = period_;
    take_over(quota);
    if (!was_capped) {
        start_ = now;
        pool_ = vcpus_part();
        io_ = io_slice_;
    } else if (period_ == old_period) {
        pool_ = vcpus_part() - spent;
        io_ = io_slice_ - spent_io;
    } else {
        start_ = now;
        pool_ = vcpus_part() - same_part(spent, old_quota, quota_);
        io_ = io_slice_ - same_part(spent_io, old_quota, quota_);
    }
    forgive_ = true;
}

bool Budget::begin(Nanoseconds now, bool wanted) {
    const int64_t periods = now - start_ < 2 * period_ ? 1 : (now - start_) / period_;
    start_ += periods * period_;
    reserve_used_ = 0;
    if (capped_) refill(periods, wanted);
    return true;
}

// The first of the periods gets what I/O left. In those after it nothing was spent, since nobody looked.
void Budget::refill(int64_t periods, bool wanted) {
    if (forgive_) pool_ = std::max<Nanoseconds>(pool_, 0);
    forgive_ = false;
    const Nanoseconds most = wanted ? std::max(burst_, least_lease_) : burst_;
    pool_ = std::min(pool_, most) + vcpus_part() + std::max<Nanoseconds>(io_, 0);
    io_ = io_slice_;
    if (periods == 1) return;
    const int64_t missing = pool_ < most ? (most - pool_) / quota_ + 1 : 0;
    pool_ = std::min(pool_ + std::min(periods - 2, missing) * quota_, most) + quota_;
}

Nanoseconds Budget::lease(uint32_t runnable) const {
    if (runnable <= 1) return pool_;
    return pool_ / std::max<Nanoseconds>(std::min<Nanoseconds>(pool_ / worth_, runnable), 1);
}

Nanoseconds Budget::serves_at() const {
    const Nanoseconds kept = forgive_ ? std::max<Nanoseconds>(pool_, 0) : pool_;
    const Nanoseconds after_first = kept + vcpus_part() + std::max<Nanoseconds>(io_, 0);
    if (after_first >= worth_) return period_end();
    return period_end() + (worth_ - after_first + quota_ - 1) / quota_ * period_;
}

void Budget::spend_io(Nanoseconds time) {
    const Nanoseconds from_slice = std::clamp<Nanoseconds>(io_, 0, time);
    io_ -= from_slice;
    pool_ -= time - from_slice;
}

}  // namespace carrel::sched
