// SignalWatch: signals to the process, as callbacks on main's loop.
//
// Not by signalfd(2): the kernel wakes who polls one at each signal of the process, whatever it asked for
// (signalfd_notify() has one queue for all), so main would wake at each kick of a vCPU: at the end of each
// lease, only to sleep again.
#pragma once

#include <atomic>
#include <csignal>
#include <functional>
#include <initializer_list>
#include <memory>

#include "vmm/base/event_loop.h"

namespace carrel {

// Threads: main's alone, which lets these signals through from then on; all others block them (thread.h).
class SignalWatch {
  public:
    using Callback = std::function<void(int number)>;

    // But for those that are ignored already: nohup, and a script's background jobs, mean that. Several of
    // one signal that come before the loop looks are one.
    static Result<std::unique_ptr<SignalWatch>> create(EventLoop& loop, std::initializer_list<int> numbers,
                                                       Callback callback);
    SignalWatch(EventLoop& loop, Fd bell, Callback callback);  // use create()
    ~SignalWatch();                                            // they are blocked again
    SignalWatch(const SignalWatch&) = delete;
    SignalWatch& operator=(const SignalWatch&) = delete;

    // Readable: one has come, and the callback hasn't been called for it.
    int fd() const { return bell_.get(); }

  private:
    static void on_signal(int number);
    Result<void> take(std::initializer_list<int> numbers);
    void tell();

    EventLoop& loop_;
    const Fd bell_;  // eventfd
    const Callback callback_;
    uint64_t taken_ = 0;                // bit by number
    std::atomic<uint64_t> arrived_{0};  // set by the handler
    SignalWatch* next_ = nullptr;       // of main's
};

}  // namespace carrel
