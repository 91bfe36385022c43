// Bells: what wakes a scheduler whose vCPUs are in several processes. A futex can be waited for one at a time
// and is anybody's to change who has the memory; so each process rings an eventfd of its own.
#pragma once

#include <map>
#include <optional>

#include "vmm/base/clock.h"
#include "vmm/base/fd.h"
#include "vmm/base/mutex.h"
#include "vmm/base/result.h"

namespace carrel::sched {

// Threads: any; wait() the scheduler's.
class Bells {
  public:
    // A vCPU has something to report each lease, so some ten of them ring as often. Who rings more isn't
    // listened to for the rest of the window; his reports are found each kMillisecond then.
    static constexpr uint32_t kMostRings = 2'000;
    static constexpr Nanoseconds kWindow = 100 * kMillisecond;

    static Result<Bells> create();
    Bells(Bells&& other) noexcept : epoll_(std::move(other.epoll_)) {}

    // An eventfd, which isn't read; its owner's, until it is removed.
    Result<void> add(int bell) EXCLUDES(mutex_);
    void remove(int bell) EXCLUDES(mutex_);
    // Until one rings, or `deadline` (CLOCK_MONOTONIC; none: forever). A ring since the last wait() counts.
    void wait(std::optional<Nanoseconds> deadline) EXCLUDES(mutex_);

  private:
    struct Bell {
        uint32_t rings = 0;  // in this window
        bool ignored = false;
    };
    explicit Bells(Fd epoll) : epoll_(std::move(epoll)) {}
    bool watch(int bell) const;
    void count_ring(int bell) EXCLUDES(mutex_);
    bool listen_again(Nanoseconds now) EXCLUDES(mutex_);

    Fd epoll_;
    Mutex mutex_;
    std::map<int, Bell> bells_ GUARDED_BY(mutex_);
    Nanoseconds window_ GUARDED_BY(mutex_) = 0;  // when it began
};

}  // namespace carrel::sched
