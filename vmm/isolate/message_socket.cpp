#include "vmm/isolate/message_socket.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>

namespace carrel::isolate {

Result<std::pair<Fd, Fd>> MessageSocket::pair() {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
        return os_error(errno, "cannot create a pair of sockets");
    return std::pair(Fd(ends[0]), Fd(ends[1]));
}

Result<std::unique_ptr<MessageSocket>> MessageSocket::create(EventLoop& loop, Fd fd, Listener listener) {
    auto socket = std::make_unique<MessageSocket>(loop, std::move(fd), std::move(listener));
    TRY(loop.watch(socket->fd_.get(), EPOLLIN, [s = socket.get()](uint32_t events) { s->on_ready(events); }));
    return socket;
}

MessageSocket::MessageSocket(EventLoop& loop, Fd fd, Listener listener)
    : loop_(loop),
      fd_(std::move(fd)),
      listener_(std::move(listener)),
      buffer_(std::make_unique_for_overwrite<std::byte[]>(kMost)) {}

MessageSocket::~MessageSocket() {
    loop_.unwatch(fd_.get());
}

void MessageSocket::on_ready(uint32_t events) {
    if ((events & EPOLLOUT) != 0) flush();
    for (int i = 0; i < kAtOnce && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0; ++i)
        if (!take_one()) return;
}

void MessageSocket::drain() {
    for (size_t i = 0; i < kMostLeft && take_one(); ++i) {
    }
}

// False: there is none now.
bool MessageSocket::take_one() {
    if (given_up_) return false;
    const ssize_t count = ::recv(fd_.get(), buffer_.get(), kMost, MSG_DONTWAIT | MSG_TRUNC);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return false;
    if (count <= 0) {
        give_up(Trouble::kClosed);
        return false;
    }
    if (static_cast<size_t>(count) > kMost) {
        give_up(Trouble::kTooLong);
        return false;
    }
    listener_.on_message(std::span(buffer_.get(), static_cast<size_t>(count)));
    return true;
}

void MessageSocket::send(std::vector<std::byte> message) {
    if (given_up_) return;
    if (unsent_.size() >= kMostUnsent) return give_up(Trouble::kFull);
    unsent_.push_back(std::move(message));
    flush();
}

void MessageSocket::flush() {
    while (!given_up_ && !unsent_.empty()) {
        const auto& first = unsent_.front();
        if (::send(fd_.get(), first.data(), first.size(), MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
            if (errno == EINTR) continue;
            if (errno == EAGAIN) break;
            if (errno == EMSGSIZE) return give_up(Trouble::kTooLong);
            unsent_.clear();  // it has gone; what it said before is still to be taken
            break;
        }
        unsent_.pop_front();
    }
    if (!given_up_) loop_.change(fd_.get(), EPOLLIN | (unsent_.empty() ? 0u : uint32_t{EPOLLOUT}));
}

void MessageSocket::give_up(Trouble trouble) {
    given_up_ = true;
    unsent_.clear();
    loop_.unwatch(fd_.get());
    listener_.on_trouble(trouble);
}

}  // namespace carrel::isolate
