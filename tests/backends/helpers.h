// What the tests of the backends share: pipes, a running event loop, and a reader that gathers all it gets.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <string>
#include <thread>

#include "tests/catch.h"
#include "vmm/base/event_loop.h"
#include "vmm/base/fd.h"
#include "vmm/base/log.h"
#include "vmm/base/thread.h"

namespace carrel::test {

inline std::span<const std::byte> bytes_of(std::string_view text) {
    return std::as_bytes(std::span(text.data(), text.size()));
}

struct Pipe {
    Fd reader;
    Fd writer;
    Pipe() {
        std::array<int, 2> fds{};
        REQUIRE(::pipe2(fds.data(), O_CLOEXEC) == 0);
        reader.reset(fds[0]);
        writer.reset(fds[1]);
    }
};

struct SocketPair {
    Fd a;
    Fd b;
    SocketPair() {
        std::array<int, 2> fds{};
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()) == 0);
        a.reset(fds[0]);
        b.reset(fds[1]);
    }
};

// An event loop on its own thread from start() until it is destroyed. What is destroyed before it must not
// touch the loop any more: call stop() first.
class LoopThread {
  public:
    LoopThread() : loop_(EventLoop::create(clock_).value()) {}
    ~LoopThread() { stop(); }
    LoopThread(const LoopThread&) = delete;
    LoopThread& operator=(const LoopThread&) = delete;
    EventLoop& loop() { return *loop_; }
    void start() {
        thread_ = Thread::start("io", [this] { loop_->run(); }).value();
    }
    void stop() {
        if (!thread_.running()) return;
        loop_->stop();
        thread_.join();
    }
    // CPU time the loop's thread has used so far.
    Nanoseconds cpu_time() const {
        clockid_t clock{};
        timespec time{};
        REQUIRE(::pthread_getcpuclockid(thread_.handle(), &clock) == 0);
        REQUIRE(::clock_gettime(clock, &time) == 0);
        return time.tv_sec * kSecond + time.tv_nsec;
    }

  private:
    const SystemClock clock_;
    std::unique_ptr<EventLoop> loop_;
    Thread thread_;
};

// Reads `fd` up to its end, or (pty) to an error.
inline std::string read_all(int fd) {
    std::string all;
    std::array<char, 65536> buffer{};
    while (true) {
        const ssize_t count = ::read(fd, buffer.data(), buffer.size());
        if (count <= 0) return all;
        all.append(buffer.data(), static_cast<size_t>(count));
    }
}

// Reads until `size` bytes are there or nothing came for two seconds.
inline std::string read_some(int fd, size_t size) {
    std::string all;
    std::array<char, 4096> buffer{};
    while (all.size() < size) {
        pollfd ready{.fd = fd, .events = POLLIN, .revents = 0};
        if (::poll(&ready, 1, 2000) != 1) break;
        const ssize_t count = ::read(fd, buffer.data(), std::min(buffer.size(), size - all.size()));
        if (count <= 0) break;
        all.append(buffer.data(), static_cast<size_t>(count));
    }
    return all;
}

template <class Condition>
bool eventually(Condition condition, int milliseconds = 5000) {
    for (int i = 0; i < milliseconds; ++i) {
        if (condition()) return true;
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return condition();
}

inline bool is_nonblocking(int fd) {
    return (::fcntl(fd, F_GETFL) & O_NONBLOCK) != 0;
}

// SIGPIPE is ignored in every carrel process (see devices/backends/README.md).
inline const auto kIgnoreSigpipe = ::signal(SIGPIPE, SIG_IGN);

}  // namespace carrel::test
