// ShareBoard: the shares of all vCPUs in one piece of shareable memory, the list of those with something to
// report, and the doorbell that wakes the scheduler.
#pragma once

#include <optional>

#include "vmm/base/clock.h"
#include "vmm/base/mapping.h"
#include "vmm/base/result.h"
#include "vmm/sched/vcpu_share.h"

namespace carrel::sched {

// Threads: report(), nudge() and ring() any; take_reports() and wait() the scheduler's.
class ShareBoard {
  public:
    static constexpr uint32_t kPlaces = 16'384;

    static Result<ShareBoard> create();

    VcpuShare& share(uint32_t place) const { return layout().shares[place]; }

    // Puts `place` into the list of reports, and wakes the scheduler.
    void report(uint32_t place) const;
    // Has the thread that is parked at `place` look again.
    void nudge(uint32_t place) const;
    // Wakes the scheduler.
    void ring() const;

    // The reports there are, each place once. A list that isn't walked to its end loses the rest.
    class Reports {
      public:
        std::optional<uint32_t> next();

      private:
        friend class ShareBoard;
        Reports(const ShareBoard& board, uint32_t first) : board_(board), place_(first) {}
        const ShareBoard& board_;
        uint32_t place_;
        uint32_t walked_ = 0;  // a list in shared memory may have been made a ring
    };
    Reports take_reports() const {
        return Reports(*this, layout().first.exchange(kNone, std::memory_order_acquire));
    }
    uint32_t doorbell() const { return layout().doorbell.load(std::memory_order_acquire); }
    // Waits until the doorbell isn't `seen` any more, or `deadline` (CLOCK_MONOTONIC; none: forever).
    void wait(uint32_t seen, std::optional<Nanoseconds> deadline) const;

  private:
    static constexpr uint32_t kNone = UINT32_MAX;
    struct Layout {
        alignas(64) std::atomic<uint32_t> doorbell{0};
        std::atomic<uint32_t> first{kNone};  // of the list
        VcpuShare shares[kPlaces];
    };
    explicit ShareBoard(Mapping memory) : memory_(std::move(memory)) {}
    Layout& layout() const { return *reinterpret_cast<Layout*>(memory_.data()); }

    Mapping memory_;
};

// futex(2) on a word that may be shared with another process. False: interrupted by a signal.
bool futex_wait(const std::atomic<uint32_t>& word, uint32_t seen, std::optional<Nanoseconds> deadline);
void futex_wake(const std::atomic<uint32_t>& word);

}  // namespace carrel::sched
