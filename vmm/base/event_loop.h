// EventLoop: one thread that waits for many descriptors and timers (epoll).
#pragma once

#include <sys/epoll.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "vmm/base/bulk_mode.h"
#include "vmm/base/charge_sink.h"
#include "vmm/base/clock.h"
#include "vmm/base/fd.h"
#include "vmm/base/mutex.h"
#include "vmm/base/result.h"

namespace carrel {

// watch/unwatch/timers: on the loop's thread, or before run(). post() and stop(): any thread.
class EventLoop {
  public:
    using Callback = std::function<void(uint32_t events)>;  // EPOLLIN, EPOLLOUT, EPOLLHUP, …
    using Task = std::function<void()>;

    // `clock` outlives the loop.
    static Result<std::unique_ptr<EventLoop>> create(const Clock& clock);
    EventLoop(const Clock& clock, Fd epoll, Fd wake)
        : clock_(clock), epoll_(std::move(epoll)), wake_(std::move(wake)) {}  // use create()
    ~EventLoop();
    EventLoop(const EventLoop&) = delete;
    EventLoop& operator=(const EventLoop&) = delete;

    // Level-triggered. The descriptor stays the caller's and must be unwatched before it is closed. A regular
    // file (which epoll refuses with EPERM) is an error: ask `pollable` first.
    Result<void> watch(int fd, uint32_t events, Callback callback);
    // Other events of one that is watched; 0: only those that epoll always tells of.
    void change(int fd, uint32_t events);
    void unwatch(int fd);  // safe inside any callback, also its own

    // Runs `task` once at `deadline` of the loop's clock, or after `delay`. The id cancels it.
    uint64_t at(Nanoseconds deadline, Task task);
    uint64_t after(Nanoseconds delay, Task task) { return at(clock_.now() + delay, std::move(task)); }
    const Clock& clock() const { return clock_; }
    void cancel(uint64_t timer);

    // Whom the loop's thread works for: what is watched or timed while one is set is charged to it, and so is
    // all that this sets up in its turn. While the charge is held, its descriptors aren't watched. Null:
    // nobody.
    using Charge = std::shared_ptr<ChargeSink>;
    const Charge& charge() const { return charge_; }
    // Sets it until the scope ends.
    class ChargeScope {
      public:
        ChargeScope(EventLoop& loop, Charge charge)
            : loop_(loop), before_(std::exchange(loop.charge_, std::move(charge))) {}
        ~ChargeScope() { loop_.charge_ = std::move(before_); }
        ChargeScope(const ChargeScope&) = delete;
        ChargeScope& operator=(const ChargeScope&) = delete;

      private:
        EventLoop& loop_;
        Charge before_;
    };

    // A callback has moved much data: for some rounds the loop's thread doesn't take the CPU from others.
    void moved_much() { bulk_.much(); }

    // Runs `task` soon on the loop's thread.
    void post(Task task) EXCLUDES(mutex_);
    void run();
    void stop();

  private:
    struct Watch {
        int fd;
        uint32_t events;
        Callback callback;
        Charge charge;
        bool ended = false;  // unwatched: an event of this round may still name it
        bool held = false;   // epoll doesn't know it for now
    };
    struct Work {
        Task task;
        Charge charge;
    };
    template <class Call>
    void charged(const Charge& charge, Call&& work);
    bool hold(Watch& watch);
    void let_go(int fd);
    void call_all(std::span<const epoll_event> events) EXCLUDES(mutex_);
    void run_posted() EXCLUDES(mutex_);
    void run_timers();
    int timeout_ms() const;

    const Clock& clock_;
    Fd epoll_;
    Fd wake_;  // eventfd
    std::map<int, std::unique_ptr<Watch>> watches_;
    std::vector<std::unique_ptr<Watch>> ended_;  // gone when the round is over: one may be unwatching itself
    bool calling_ = false;                       // in a round
    bool stopping_ = false;
    BulkMode bulk_;
    Charge charge_;  // of what runs now
    std::map<std::pair<Nanoseconds, uint64_t>, Work> timers_;
    uint64_t next_timer_ = 1;
    Mutex mutex_;
    std::vector<Task> posted_ GUARDED_BY(mutex_);
};

}  // namespace carrel
