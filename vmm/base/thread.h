// Thread: one joined thread with a name.
#pragma once

#include <pthread.h>

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
    // Nobody waits for it any more: for one that sits in a system call which may never come back. All that
    // its body uses must be its own.
    void leave();
    bool running() const { return joinable_; }
    pthread_t handle() const { return handle_; }

  private:
    pthread_t handle_{};
    bool joinable_ = false;
};

}  // namespace carrel
