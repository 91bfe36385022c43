// BoardLeases: leases from another process's scheduler, which sees this process's vCPUs on a board that both
// have, and nothing else of them.
#pragma once

#include <functional>
#include <vector>

#include "vmm/base/mutex.h"
#include "vmm/sched/lease_source.h"

namespace carrel::sched {

class BoardLeases final : public LeaseSource {
  public:
    // Less isn't told at once: the scheduler finds it with the next report.
    static constexpr Nanoseconds kIoAtOnce = 200 * kMicrosecond;

    // `on_seat`: somebody sits at `place` now.
    using OnSeat = std::function<void(uint32_t place, ScheduledVcpu& vcpu)>;
    BoardLeases(ShareBoard board, OnSeat on_seat)
        : board_(std::move(board)), on_seat_(std::move(on_seat)), taken_(board_.places()) {}

    Result<uint32_t> add_vcpu(GuestId guest, ScheduledVcpu& vcpu) override EXCLUDES(mutex_);
    void remove_vcpu(uint32_t place) override EXCLUDES(mutex_);
    Nanoseconds charge_io(GuestId guest, Nanoseconds used) override;
    const ShareBoard& board() const override { return board_; }

  private:
    const ShareBoard board_;
    const OnSeat on_seat_;
    Mutex mutex_;
    std::vector<bool> taken_ GUARDED_BY(mutex_);  // by place
};

}  // namespace carrel::sched
