// IoAccount: what the io thread and the disks' threads do for one guest comes out of that guest's own budget.
#pragma once

#include <atomic>

#include "vmm/base/charge_sink.h"
#include "vmm/base/mutex.h"
#include "vmm/sched/lease_source.h"

namespace carrel::sched {

// Threads: any. It may outlive the guest's place with the scheduler, but not unclosed.
class IoAccount final : public ChargeSink {
  public:
    // Less isn't told one by one: a small request costs a few microseconds, telling the scheduler half of
    // one.
    static constexpr Nanoseconds kAtOnce = 50 * kMicrosecond;

    IoAccount(LeaseSource& leases, GuestId guest) : leases_(leases), guest_(guest) {}

    void charge(Nanoseconds cpu) override;
    Nanoseconds held_until() override;
    // The guest leaves the scheduler: what still comes is charged to nobody.
    void close() EXCLUDES(mutex_);

  private:
    LeaseSource& leases_;
    const GuestId guest_;
    std::atomic<Nanoseconds> untold_{0};
    std::atomic<Nanoseconds> held_until_{0};
    Mutex mutex_;
    bool closed_ GUARDED_BY(mutex_) = false;
};

}  // namespace carrel::sched
