// Throttle: a device's rate limit, and the timer that lets it go on.
//
//   device's thread                          io thread
//   open()? ─ no ─► leaves its chains ─────► timer at RateLimit::opens_at()
//                   in the ring                   │
//   looks into its queues ◄── go_on() ◄───────────┘
//
// Nobody spins, no thread waits, and nothing is kept but the chains' places in their ring. It belongs to the
// host's side of a device, like an image: a machine that is rebuilt goes on at the same level, and a driver
// that resets its device gets nothing for it. So the level isn't among a device's saved bytes; a guest that
// is restored elsewhere starts with one burst.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>

#include "devices/backends/loop_signal.h"
#include "devices/virtio/rate_limit.h"
#include "vmm/base/event_loop.h"
#include "vmm/base/mutex.h"

namespace carrel::virtio {

class ThrottleListener {
  public:
    virtual ~ThrottleListener() = default;
    // open() has said no, and may say yes now. On the loop's thread.
    virtual void go_on() = 0;
};

// Made and destroyed on the loop's thread, or while it doesn't run.
class Throttle {
  public:
    // `loop` outlives it.
    static Result<std::unique_ptr<Throttle>> create(EventLoop& loop, const RateConfig& config);
    Throttle(EventLoop& loop, const RateConfig& config);  // use create()
    ~Throttle();
    Throttle(const Throttle&) = delete;
    Throttle& operator=(const Throttle&) = delete;

    // Whose operations these are from now on; the last one counts, so a new device may attach before the old
    // one detaches. On the loop's thread, or while it doesn't run.
    void attach(ThrottleListener& listener) { listener_ = &listener; }
    void detach(ThrottleListener& listener) {
        if (listener_ == &listener) listener_ = nullptr;
    }

    // Any thread, all of these.
    //
    // Whether the next operation may start. A device without a limit pays a load and a branch. Once somebody
    // has to wait, all do until go_on(), which asks them in an order that is fair.
    bool open() {
        if (!limited()) [[likely]]
            return true;
        return look();
    }
    bool limited() const { return limited_.load(std::memory_order_relaxed); }
    // One has started, of so many bytes.
    void take(uint64_t bytes) EXCLUDES(mutex_);
    // Another limit, or none, for what starts from now on; what waits goes on as soon as that lets it.
    void change(const RateConfig& config) EXCLUDES(mutex_);

  private:
    bool look() EXCLUDES(mutex_);
    void set_timer() EXCLUDES(mutex_);
    void end_wait() EXCLUDES(mutex_);

    EventLoop& loop_;
    std::atomic<bool> limited_;
    std::unique_ptr<LoopSignal> wait_;  // raised where the timer is to be set
    ThrottleListener* listener_ = nullptr;
    std::optional<uint64_t> timer_;  // the loop's thread's

    Mutex mutex_;  // behind a device's in the order of locks
    RateLimit limit_ GUARDED_BY(mutex_);
    bool waiting_ GUARDED_BY(mutex_) = false;
};

}  // namespace carrel::virtio
