// ConsoleOutput: a guest's console output on its way to a descriptor of the host.
//
//   vCPU thread -> write() -> ConsoleBuffer -> io thread (or drain()) -> StreamFd
//
// Nothing that the reader does, or doesn't do, reaches the vCPU: a full buffer loses its middle and says so,
// a reader that has gone makes the output vanish. The first byte after a quiet millisecond wakes the io
// thread; what follows within the next one is gathered, so that a boot log costs no wake-up a byte.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>

#include "devices/backends/console_buffer.h"
#include "devices/backends/loop_signal.h"
#include "vmm/base/byte_sink.h"
#include "vmm/base/clock.h"
#include "vmm/base/event_loop.h"
#include "vmm/base/log.h"
#include "vmm/base/mutex.h"
#include "vmm/base/stream_fd.h"

namespace carrel {

class ConsoleOutput final : public ByteSink {
  public:
    static constexpr Nanoseconds kDrainTime = 10 * kSecond;

    struct Counts {
        uint64_t written = 0;    // by the guest
        uint64_t delivered = 0;  // to the descriptor
        uint64_t dropped = 0;    // from the middle, or after the reader had gone
    };

    // On the loop's thread or before it runs. `log` hears of a descriptor that fails (but not of a closed
    // pipe: that is how `| head` works).
    static Result<std::unique_ptr<ConsoleOutput>> create(EventLoop& loop, StreamFd target, Log& log);
    ConsoleOutput(EventLoop& loop, StreamFd target, Log& log);  // use create()
    // On the loop's thread, or while the loop doesn't run. Doesn't drain.
    ~ConsoleOutput() override;
    ConsoleOutput(const ConsoleOutput&) = delete;
    ConsoleOutput& operator=(const ConsoleOutput&) = delete;

    // Any thread. Never waits for the reader, never allocates; at most one system call for a batch.
    void write(std::span<const std::byte> bytes) override EXCLUDES(mutex_);

    // Delivers what is pending, waiting at most `time` for a slow reader; returns how many bytes were left
    // over. Any thread, whether or not the loop runs; the last write() must have returned. At half time the
    // middle of what is left is dropped, so that a reader that is merely slow still gets the last lines.
    // `stop_fd` (a descriptor, or -1): the wait is over when it becomes readable.
    size_t drain(Nanoseconds time = kDrainTime, int stop_fd = -1) EXCLUDES(writer_, mutex_);

    Counts counts() const EXCLUDES(mutex_);
    bool reader_gone() const { return gone_.load(std::memory_order_relaxed); }

  private:
    enum class Progress { kEmpty, kMore, kBlocked, kGone };

    void pump() EXCLUDES(writer_, mutex_);
    Progress write_some(size_t most) EXCLUDES(writer_, mutex_);
    std::span<const std::byte> next_piece() REQUIRES(writer_) EXCLUDES(mutex_);
    // True: nothing is left to do.
    bool deliver_until(Nanoseconds deadline, int stop_fd) EXCLUDES(writer_, mutex_);
    bool wait_writable(Nanoseconds deadline, int stop_fd);
    void keep_last(size_t count) EXCLUDES(writer_, mutex_);
    void give_up(int error) REQUIRES(writer_) EXCLUDES(mutex_);
    void after(Nanoseconds delay) EXCLUDES(mutex_);
    void on_pause_over() EXCLUDES(writer_, mutex_);
    void watch(bool on);

    EventLoop& loop_;
    Log& log_;
    std::unique_ptr<LoopSignal> wake_;

    // Loop thread only.
    bool watching_ = false;
    uint64_t timer_ = 0;  // 0: none

    Mutex writer_;  // held by whoever delivers; taken before mutex_
    StreamFd target_ GUARDED_BY(writer_);
    const int fd_;
    const bool pollable_;

    mutable Mutex mutex_;
    ConsoleBuffer buffer_ GUARDED_BY(mutex_);
    uint64_t after_gone_ GUARDED_BY(mutex_) = 0;
    bool scheduled_ GUARDED_BY(mutex_) = false;  // the io thread will look without being woken
    bool hurried_ GUARDED_BY(mutex_) = false;    // woken before its pause was over
    std::atomic<bool> gone_{false};
};

}  // namespace carrel
