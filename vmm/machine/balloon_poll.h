// BalloonPoll: asks a guest for its memory statistics from time to time.
#pragma once

#include "devices/virtio/balloon/balloon.h"
#include "vmm/base/event_loop.h"

namespace carrel {

// Both outlive it. Made and destroyed on the loop's thread, or while it doesn't run.
class BalloonPoll {
  public:
    BalloonPoll(EventLoop& loop, virtio::Balloon& balloon, Nanoseconds interval)
        : loop_(loop), balloon_(balloon), interval_(interval) {
        wait();
    }
    ~BalloonPoll() { loop_.cancel(timer_); }
    BalloonPoll(const BalloonPoll&) = delete;
    BalloonPoll& operator=(const BalloonPoll&) = delete;

  private:
    void wait() {
        timer_ = loop_.after(interval_, [this] {
            balloon_.ask_statistics();
            wait();
        });
    }

    EventLoop& loop_;
    virtio::Balloon& balloon_;
    const Nanoseconds interval_;
    uint64_t timer_ = 0;
};

}  // namespace carrel
