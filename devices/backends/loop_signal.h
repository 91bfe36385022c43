// LoopSignal: calls back on an event loop's thread when any thread raises it.
#pragma once

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <cerrno>
#include <functional>
#include <memory>
#include <utility>

#include "vmm/base/event_loop.h"
#include "vmm/base/fd.h"

namespace carrel {

// Unlike EventLoop::post it allocates nothing when raised, so a vCPU thread may, and it leaves nothing queued
// when it is destroyed (on the loop's thread, or while the loop doesn't run).
class LoopSignal {
  public:
    static Result<std::unique_ptr<LoopSignal>> create(EventLoop& loop, std::function<void()> callback) {
        Fd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
        if (!event.valid()) return os_error(errno, "cannot create an eventfd");
        // Edge-triggered: each write is an event of its own, and the counter needs no reading.
        TRY(loop.watch(event.get(), EPOLLIN | EPOLLET, [call = std::move(callback)](uint32_t) { call(); }));
        return std::make_unique<LoopSignal>(loop, std::move(event));
    }
    LoopSignal(EventLoop& loop, Fd event) : loop_(loop), event_(std::move(event)) {}  // use create()
    ~LoopSignal() { loop_.unwatch(event_.get()); }
    LoopSignal(const LoopSignal&) = delete;
    LoopSignal& operator=(const LoopSignal&) = delete;

    // Any thread. One system call; raised several times before the callback runs, it runs once or more.
    void raise() {
        const uint64_t one = 1;
        [[maybe_unused]] const auto written = ::write(event_.get(), &one, sizeof one);
    }

  private:
    EventLoop& loop_;
    Fd event_;
};

}  // namespace carrel
