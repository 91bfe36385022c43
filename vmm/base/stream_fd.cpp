#include "vmm/base/stream_fd.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>

namespace carrel {
namespace {

// epoll itself is asked: which character devices it refuses is nobody's documented promise.
bool epoll_accepts(int fd) {
    const Fd epoll(::epoll_create1(EPOLL_CLOEXEC));
    epoll_event event{};
    return ::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &event) == 0 || errno != EPERM;
}

// The other side of a pty: opening it again by its /proc link would make a new pty.
bool is_pty_master(int fd) {
    int number = 0;
    return ::ioctl(fd, TIOCGPTN, &number) == 0;
}

// Not a path of the user's, so not the Opener's business: a second description of what we hold already.
Fd open_again(int fd, StreamFd::Use use) {
    const std::string link = "/proc/self/fd/" + std::to_string(fd);
    const int access = use == StreamFd::Use::kRead ? O_RDONLY : O_WRONLY;
    return Fd(::open(link.c_str(), access | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
}

// Sets O_NONBLOCK on a description for the length of one call, unless whoever shares it has set it already.
class NonblockingForNow {
  public:
    NonblockingForNow(int fd, bool needed) : fd_(fd), flags_(needed ? ::fcntl(fd, F_GETFL) : -1) {
        if (changes()) ::fcntl(fd_, F_SETFL, flags_ | O_NONBLOCK);
    }
    ~NonblockingForNow() {
        if (changes()) ::fcntl(fd_, F_SETFL, flags_);
    }
    NonblockingForNow(const NonblockingForNow&) = delete;
    NonblockingForNow& operator=(const NonblockingForNow&) = delete;

  private:
    bool changes() const { return flags_ >= 0 && (flags_ & O_NONBLOCK) == 0; }
    int fd_;
    int flags_;
};

template <class Call>
StreamFd::Outcome repeat_if_interrupted(Call call) {
    while (true) {
        const ssize_t count = call();
        if (count >= 0) return {static_cast<size_t>(count), 0};
        if (errno != EINTR) return {0, errno};
    }
}

}  // namespace

Result<StreamFd> StreamFd::borrow(int fd, Use use) {
    Fd copy(::fcntl(fd, F_DUPFD_CLOEXEC, 3));  // never one of the standard three
    struct stat status {};
    if (!copy.valid() || ::fstat(fd, &status) != 0) {
        return os_error(errno, "cannot use descriptor " + std::to_string(fd));
    }
    if (S_ISSOCK(status.st_mode)) return StreamFd(std::move(copy), Kind::kSocket);
    if (!epoll_accepts(fd)) return StreamFd(std::move(copy), Kind::kAlwaysReady);
    if (S_ISFIFO(status.st_mode) || (::isatty(fd) == 1 && !is_pty_master(fd))) {
        Fd again = open_again(fd, use);
        if (again.valid()) return StreamFd(std::move(again), Kind::kOwnDescription);
    }
    return StreamFd(std::move(copy), Kind::kSharedDescription);
}

Result<StreamFd> StreamFd::own(Fd fd) {
    const int flags = ::fcntl(fd.get(), F_GETFL);
    if (flags < 0 || ::fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK) != 0) {
        return os_error(errno, "cannot use descriptor " + std::to_string(fd.get()));
    }
    struct stat status {};
    if (::fstat(fd.get(), &status) == 0 && S_ISSOCK(status.st_mode))
        return StreamFd(std::move(fd), Kind::kSocket);
    const Kind kind = epoll_accepts(fd.get()) ? Kind::kOwnDescription : Kind::kAlwaysReady;
    return StreamFd(std::move(fd), kind);
}

StreamFd::Outcome StreamFd::read(std::span<std::byte> into) {
    if (kind_ == Kind::kSocket) {
        return repeat_if_interrupted(
            [&] { return ::recv(fd_.get(), into.data(), into.size(), MSG_DONTWAIT); });
    }
    const NonblockingForNow guard(fd_.get(), kind_ == Kind::kSharedDescription);
    return repeat_if_interrupted([&] { return ::read(fd_.get(), into.data(), into.size()); });
}

bool StreamFd::write_all(std::span<const std::byte> bytes, Nanoseconds patience) {
    const SystemClock clock;
    const Nanoseconds deadline = clock.now() + patience;
    while (!bytes.empty()) {
        const Outcome outcome = write(bytes);
        bytes = bytes.subspan(outcome.count);
        if (outcome.error == 0) continue;
        const Nanoseconds left = deadline - clock.now();
        if (outcome.error != EAGAIN || left <= 0) return false;
        pollfd ready{.fd = fd_.get(), .events = POLLOUT, .revents = 0};
        ::poll(&ready, 1, static_cast<int>((left + kMillisecond - 1) / kMillisecond));
    }
    return true;
}

StreamFd::Outcome StreamFd::write(std::span<const std::byte> bytes) {
    if (kind_ == Kind::kSocket) {
        return repeat_if_interrupted(
            [&] { return ::send(fd_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL); });
    }
    const NonblockingForNow guard(fd_.get(), kind_ == Kind::kSharedDescription);
    return repeat_if_interrupted([&] { return ::write(fd_.get(), bytes.data(), bytes.size()); });
}

bool write_patiently(int fd, std::span<const std::byte> bytes, Nanoseconds patience) {
    auto target = StreamFd::borrow(fd, StreamFd::Use::kWrite);
    if (target.ok()) return target->write_all(bytes, patience);
    pollfd ready{.fd = fd, .events = POLLOUT, .revents = 0};
    if (::poll(&ready, 1, static_cast<int>(patience / kMillisecond)) != 1) return false;
    return ::write(fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size());
}

}  // namespace carrel
