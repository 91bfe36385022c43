#include "devices/backends/console_output.h"

#include <poll.h>
#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace carrel {
namespace {

// After a delivery the io thread lets output gather for this long: too short to see, long enough that a boot
// log wakes it some hundred times and not once a byte.
constexpr Nanoseconds kGather = kMillisecond;
// This much pending ends the pause at once.
constexpr size_t kHurry = 32 * 1024;
// One turn of the io thread; other descriptors want theirs.
constexpr size_t kAtOnce = 256 * 1024;
// What a slow reader is owed at least when time runs out: the last screenful or two.
constexpr size_t kLastLines = 4096;

}  // namespace

Result<std::unique_ptr<ConsoleOutput>> ConsoleOutput::create(EventLoop& loop, StreamFd target, Log& log) {
    auto output = std::make_unique<ConsoleOutput>(loop, std::move(target), log);
    TRY_ASSIGN(output->wake_, LoopSignal::create(loop, [raw = output.get()] { raw->pump(); }));
    return output;
}

ConsoleOutput::ConsoleOutput(EventLoop& loop, StreamFd target, Log& log)
    : loop_(loop), log_(log), target_(std::move(target)), fd_(target_.fd()), pollable_(target_.pollable()) {}

ConsoleOutput::~ConsoleOutput() {
    watch(false);
    if (timer_ != 0) loop_.cancel(timer_);
}

void ConsoleOutput::write(std::span<const std::byte> bytes) {
    bool wake = false;
    {
        MutexLock lock(mutex_);
        if (gone_.load(std::memory_order_relaxed)) {
            after_gone_ += bytes.size();
            return;
        }
        buffer_.push(bytes);
        const bool hurry = scheduled_ && !hurried_ && buffer_.pending() >= kHurry;
        wake = !scheduled_ || hurry;
        hurried_ = hurried_ || hurry;
        scheduled_ = true;
    }
    if (wake) wake_->raise();
}

void ConsoleOutput::pump() {
    switch (write_some(kAtOnce)) {
        case Progress::kBlocked: watch(true); break;
        case Progress::kMore:
            watch(false);
            after(0);
            break;
        case Progress::kEmpty:
            watch(false);
            after(kGather);
            break;
        case Progress::kGone: watch(false); break;
    }
}

// The reader's descriptor is watched only while it is full: one without a reader is "ready" for ever.
void ConsoleOutput::watch(bool on) {
    if (on == watching_) return;
    watching_ = on;
    if (!on) {
        loop_.unwatch(fd_);
        return;
    }
    if (!loop_.watch(fd_, EPOLLOUT, [this](uint32_t) { pump(); })) {
        watching_ = false;
        after(kGather);
    }
}

void ConsoleOutput::after(Nanoseconds delay) {
    {
        MutexLock lock(mutex_);
        hurried_ = false;
    }
    if (timer_ != 0) return;
    timer_ = loop_.after(delay, [this] { on_pause_over(); });
}

void ConsoleOutput::on_pause_over() {
    timer_ = 0;
    {
        MutexLock lock(mutex_);
        if (buffer_.empty()) {
            scheduled_ = false;
            return;
        }
    }
    if (!watching_) pump();
}

std::span<const std::byte> ConsoleOutput::next_piece() {
    MutexLock lock(mutex_);
    return buffer_.front();
}

ConsoleOutput::Progress ConsoleOutput::write_some(size_t most) {
    MutexLock writing(writer_);
    if (gone_.load(std::memory_order_relaxed)) return Progress::kGone;
    size_t done = 0;
    while (done < most) {
        const auto piece = next_piece();  // stays put while the guest goes on writing
        if (piece.empty()) return Progress::kEmpty;
        const StreamFd::Outcome outcome = target_.write(piece);
        if (outcome.error == EAGAIN) return Progress::kBlocked;
        if (outcome.error != 0) {
            give_up(outcome.error);
            return Progress::kGone;
        }
        MutexLock lock(mutex_);
        buffer_.pop(outcome.count);
        done += outcome.count;
    }
    return Progress::kMore;
}

void ConsoleOutput::give_up(int error) {
    {
        MutexLock lock(mutex_);
        gone_.store(true, std::memory_order_relaxed);
        buffer_.clear();
    }
    if (error == EPIPE || error == ECONNRESET) return;
    log_.warning("the guest's console output can't be written ({}) and is dropped from here on",
                 ::strerrordesc_np(error));
}

bool ConsoleOutput::wait_writable(Nanoseconds deadline, int stop_fd) {
    const Nanoseconds left = deadline - loop_.clock().now();
    if (left <= 0) return false;
    std::array<pollfd, 2> ready{
        {{.fd = fd_, .events = POLLOUT, .revents = 0}, {.fd = stop_fd, .events = POLLIN, .revents = 0}}};
    const auto milliseconds = std::min<Nanoseconds>((left + kMillisecond - 1) / kMillisecond, 60'000);
    ::poll(ready.data(), ready.size(), static_cast<int>(milliseconds));
    return ready[1].revents == 0;
}

void ConsoleOutput::keep_last(size_t count) {
    MutexLock writing(writer_);
    MutexLock lock(mutex_);
    buffer_.keep_last(count);
}

bool ConsoleOutput::deliver_until(Nanoseconds deadline, int stop_fd) {
    while (true) {
        const Progress progress = write_some(kAtOnce);
        if (progress == Progress::kGone || progress == Progress::kEmpty) return true;
        if (!wait_writable(deadline, stop_fd)) return false;
    }
}

size_t ConsoleOutput::drain(Nanoseconds time, int stop_fd) {
    const Nanoseconds begin = loop_.clock().now();
    const uint64_t before = counts().delivered;
    if (deliver_until(begin + time / 2, stop_fd)) return 0;
    // What the reader took in the first half of the time, it may take in the second.
    keep_last(std::max<size_t>(kLastLines, (counts().delivered - before) / 2));
    if (deliver_until(begin + time, stop_fd)) return 0;
    MutexLock lock(mutex_);
    return buffer_.pending();
}

ConsoleOutput::Counts ConsoleOutput::counts() const {
    MutexLock lock(mutex_);
    return {.written = buffer_.written() + after_gone_,
            .delivered = buffer_.delivered(),
            .dropped = buffer_.dropped() + after_gone_};
}

}  // namespace carrel
