// Mutex and MutexLock: std::mutex with Clang's thread-safety annotations (-Wthread-safety is an error with
// Clang).
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

#if defined(__clang__)
#define CARREL_TSA(x) __attribute__((x))
#else
#define CARREL_TSA(x)
#endif
#define GUARDED_BY(m) CARREL_TSA(guarded_by(m))
#define REQUIRES(...) CARREL_TSA(requires_capability(__VA_ARGS__))
#define EXCLUDES(...) CARREL_TSA(locks_excluded(__VA_ARGS__))

namespace carrel {

class CARREL_TSA(capability("mutex")) Mutex {
  public:
    void lock() CARREL_TSA(acquire_capability()) { mutex_.lock(); }
    void unlock() CARREL_TSA(release_capability()) { mutex_.unlock(); }

  private:
    friend class Condition;
    std::mutex mutex_;
};

class CARREL_TSA(scoped_lockable) MutexLock {
  public:
    explicit MutexLock(Mutex& mutex) CARREL_TSA(acquire_capability(mutex)) : mutex_(mutex) { mutex_.lock(); }
    ~MutexLock() CARREL_TSA(release_capability()) { mutex_.unlock(); }
    MutexLock(const MutexLock&) = delete;
    MutexLock& operator=(const MutexLock&) = delete;

  private:
    Mutex& mutex_;
};

// Waits with the mutex held; spurious wake-ups happen, so always wait in a loop over the condition.
class Condition {
  public:
    void wait(Mutex& mutex) REQUIRES(mutex) {
        std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
        condition_.wait(lock);
        lock.release();
    }
    // False when the time was up first.
    bool wait_for(Mutex& mutex, int64_t nanoseconds) REQUIRES(mutex) {
        std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
        const auto status = condition_.wait_for(lock, std::chrono::nanoseconds(nanoseconds));
        lock.release();
        return status == std::cv_status::no_timeout;
    }
    void notify_all() { condition_.notify_all(); }

  private:
    std::condition_variable condition_;
};

}  // namespace carrel
