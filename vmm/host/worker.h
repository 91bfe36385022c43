// Worker: where a host does what takes long (a kernel is unpacked, KVM takes a machine apart), so that the io
// thread can serve all other guests meanwhile.
#pragma once

#include <deque>
#include <functional>

#include "vmm/base/event_loop.h"
#include "vmm/base/mutex.h"
#include "vmm/base/thread.h"

namespace carrel {

// One thread, in order; there is none until there is something to do.
class Worker {
  public:
    // `io` outlives it.
    explicit Worker(EventLoop& io) : io_(io) {}
    // Waits for what it is at; what is behind that isn't done any more.
    ~Worker() { end(); }
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    // Calls `work` on its thread, then `done` on the io thread. The error: the host has no thread left.
    Result<void> run(std::function<void()> work, std::function<void()> done) EXCLUDES(mutex_);
    // As the destructor. Once; any thread but its own.
    void end() EXCLUDES(mutex_);

  private:
    struct Job {
        std::function<void()> work, done;
    };
    void serve() EXCLUDES(mutex_);

    EventLoop& io_;
    Mutex mutex_;
    Condition changed_;
    std::deque<Job> jobs_ GUARDED_BY(mutex_);
    bool ending_ GUARDED_BY(mutex_) = false;
    Thread thread_;  // the io thread's
};

}  // namespace carrel
