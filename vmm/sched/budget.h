// Budget: the CPU time that one guest may still use in its period, and what of it comes first by reservation.
//
//   period k          period k+1
//   ├────────────────┼──────────────── …      quota = cap × period
//   │ I/O: quota/8   │ unspent I/O of k goes to the vCPUs' pool of k+1
//   │ pool: the rest │ unspent pool of k is lost, but for `burst`; a debt of k is taken off
//
// Where a vCPU waited at the end of k, because the rest was too small for a lease or no CPU was free, as much
// as one least lease is kept, too. So with a cap of 1 % (0.1 ms a period) one of 0.5 ms is due each fifth
// period.
//
// Leases are paid from the pool when they are granted, and what they leave comes back when they end in the
// same period. Nothing here happens by itself: refresh() does what is due for any number of periods at once,
// so that idle guests cost nothing.
#pragma once

#include "vmm/model/cpu_quota.h"
#include "vmm/sched/period_grid.h"

namespace carrel::sched {

class Budget {
  public:
    static constexpr Nanoseconds kIoPart = 8;  // one eighth of the quota is I/O's first

    // `in_step`: periods are exactly as long as asked (period_grid.h).
    Budget(const CpuQuota& quota, Nanoseconds least_lease, bool in_step, Nanoseconds now);

    // Another quota, in the middle of a period: what was spent of the old one counts until its end.
    void change(const CpuQuota& quota, Nanoseconds now);
    // Begins the period in which `now` lies, if it isn't this one. `wanted`: a vCPU waits, for budget or a
    // CPU. True: another period.
    bool refresh(Nanoseconds now, bool wanted) { return now >= grid_.end() && begin(now, wanted); }

    bool capped() const { return capped_; }
    Nanoseconds left() const { return capped_ ? pool_ : 0; }
    Nanoseconds quota() const { return quota_; }
    Nanoseconds period_begin() const { return grid_.begin(); }
    Nanoseconds period_end() const { return grid_.end(); }
    // Whether it is enough for the leases of so many.
    bool serves(uint32_t vcpus) const { return !capped_ || pool_ >= worth_ * vcpus; }
    // How long the lease of one of `runnable` vCPUs is; only where it serves one.
    Nanoseconds lease(uint32_t runnable) const;
    // When, by time alone, it will serve one.
    Nanoseconds serves_at() const;

    void spend(Nanoseconds time) { pool_ -= time; }
    void give_back(Nanoseconds time) { pool_ += time; }
    // From I/O's part first.
    void spend_io(Nanoseconds time);
    bool io_left() const { return !capped_ || io_ > 0; }

    // Of the reservation in this period.
    bool reserves() const { return reserve_ > 0; }
    Nanoseconds reserve_left() const { return reserve_ - reserve_used_; }
    void use_reserve(Nanoseconds time) { reserve_used_ += time; }

  private:
    bool begin(Nanoseconds now, bool wanted);
    void refill(Nanoseconds skipped, bool wanted);
    void take_over(const CpuQuota& quota);
    void measure();
    Nanoseconds io_slice() const { return quota_ / kIoPart; }
    Nanoseconds vcpus_part() const { return quota_ - io_slice(); }

    Nanoseconds least_lease_;
    bool in_step_;
    bool capped_ = false;
    bool forgive_ = false;  // the debt comes from a change of quota
    // As given.
    CpuShare cap_ = 0, reserve_share_ = 0;
    Nanoseconds burst_ = 0;
    // Of this period.
    PeriodGrid grid_;
    Nanoseconds quota_ = 0, reserve_ = 0;
    Nanoseconds worth_ = 0;  // a lease shorter than this isn't worth giving
    Nanoseconds pool_ = 0, io_ = 0, reserve_used_ = 0;
};

}  // namespace carrel::sched
