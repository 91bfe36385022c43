// Thread: one joined thread with a name.
#pragma once

#include <pthread.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "vmm/base/result.h"

namespace carrel {

// Move-only; joins on destruction, so whoever owns it must have asked it to end before. All signals but the
// kick signal and the synchronous ones are blocked in it: `main` takes them.
class Thread {
  public:
    // `name` is cut to 15 bytes (the kernel's limit, pthread_setname_np(3)). Fails when the host has no
    // thread left.
    static Result<Thread> start(std::string_view name, std::function<void()> body);

    Thread() = default;
    Thread(Thread&& other) noexcept;
    Thread& operator=(Thread&& other) noexcept;
    Thread(const Thread&) = delete;
    Thread& operator=(const Thread&) = delete;
    ~Thread() { join(); }

    void join();
    // Until its body has ended; the kernel's part of its end is waited for a moment only: a thread that has
    // given requests to io_uring doesn't go before these have ended, and a dead disk never ends them.
    void join_body();
    // Nobody waits for it any more: for one that sits in a system call which may never come back. All that
    // its body uses must be its own.
    void leave();
    bool running() const { return joinable_; }
    pthread_t handle() const { return handle_; }

  private:
    pthread_t handle_{};
    bool joinable_ = false;
    std::shared_ptr<std::atomic<bool>> body_ended_;  // the thread's, too
};

}  // namespace carrel
