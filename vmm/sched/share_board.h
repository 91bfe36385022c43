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

    // In memory of its own. `bell`: an eventfd that ring() writes, for who waits for several boards; -1: a
    // futex does.
    static Result<ShareBoard> create(int bell = -1);
    // In memory that another process has, too, which is size_of(places) long and cleared once, by one of
    // them.
    static constexpr size_t size_of(uint32_t places) { return sizeof(Head) + places * sizeof(VcpuShare); }
    ShareBoard(std::byte* memory, uint32_t places, int bell)
        : head_(reinterpret_cast<Head*>(memory)), places_(places), bell_(bell) {}
    // As nobody has sat there. Nobody does.
    void clear() const;

    uint32_t places() const { return places_; }
    VcpuShare& share(uint32_t place) const { return reinterpret_cast<VcpuShare*>(head_ + 1)[place]; }
    // Of a guest in another process: CPU time of its threads that are no vCPUs, ever growing, as it says; and
    // until when (CLOCK_MONOTONIC) they are to leave it alone, as the scheduler says.
    std::atomic<int64_t>& io_used() const { return head_->io_used; }
    std::atomic<int64_t>& io_held_until() const { return head_->io_held_until; }

    // Puts `place` into the list of reports.
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
        if (head_->first.load(std::memory_order_seq_cst) == kNone) return Reports(*this, kNone);
        return Reports(*this, head_->first.exchange(kNone, std::memory_order_seq_cst));
    }
    uint32_t doorbell() const { return head_->doorbell.load(std::memory_order_acquire); }
    // Waits until the doorbell isn't `seen` any more, or `deadline` (CLOCK_MONOTONIC; none: forever).
    void wait(uint32_t seen, std::optional<Nanoseconds> deadline) const;

  private:
    static constexpr uint32_t kNone = UINT32_MAX;
    struct alignas(64) Head {
        std::atomic<uint32_t> doorbell{0};
        std::atomic<uint32_t> first{kNone};  // of the list
        alignas(64) std::atomic<int64_t> io_used{0};
        std::atomic<int64_t> io_held_until{0};
    };

    Mapping memory_;  // empty: it is another's
    Head* head_;
    uint32_t places_;
    int bell_;
};

// futex(2) on a word that may be shared with another process. False: interrupted by a signal.
bool futex_wait(const std::atomic<uint32_t>& word, uint32_t seen, std::optional<Nanoseconds> deadline);
void futex_wake(const std::atomic<uint32_t>& word);

}  // namespace carrel::sched
