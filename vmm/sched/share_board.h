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

    // Calls `handle(place)` for each report there is, each place once.
    template <class Handle>
    void take_reports(Handle&& handle) const {
        uint32_t place = layout().first.exchange(kNone, std::memory_order_acquire);
        for (uint32_t walked = 0; place < kPlaces && walked < kPlaces; ++walked) {
            VcpuShare& one = share(place);
            const uint32_t next = one.next.load(std::memory_order_relaxed);
            one.listed.store(0, std::memory_order_release);  // from here on it may come in again
            handle(place);
            place = next;
        }
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
