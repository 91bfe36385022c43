#include "vmm/isolate/message_socket.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

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
    Fd with;
    const ssize_t count = receive(with);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return false;
    if (count <= 0) {
        give_up(Trouble::kClosed);
        return false;
    }
    if (static_cast<size_t>(count) > kMost) {
        give_up(Trouble::kTooLong);
        return false;
    }
    listener_.on_message(std::span(buffer_.get(), static_cast<size_t>(count)), std::move(with));
    return true;
}

// One descriptor may come along. The kernel rounds the room for it up, so there may be more, which are
// closed.
ssize_t MessageSocket::receive(Fd& with) {
    alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof(int))> control{};
    iovec bytes{buffer_.get(), kMost};
    msghdr message{};
    message.msg_iov = &bytes;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t count = ::recvmsg(fd_.get(), &message, MSG_DONTWAIT | MSG_TRUNC | MSG_CMSG_CLOEXEC);
    const cmsghdr* const header = count < 0 ? nullptr : CMSG_FIRSTHDR(&message);
    if (header == nullptr || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
        return count;
    for (size_t at = CMSG_LEN(0); at + sizeof(int) <= header->cmsg_len; at += sizeof(int)) {
        int fd = -1;
        std::memcpy(&fd, control.data() + at, sizeof fd);
        with.reset(fd);
    }
    return count;
}

ssize_t MessageSocket::pass(const Unsent& unsent) {
    alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof(int))> control{};
    iovec bytes{const_cast<std::byte*>(unsent.bytes.data()), unsent.bytes.size()};
    msghdr message{};
    message.msg_iov = &bytes;
    message.msg_iovlen = 1;
    if (unsent.with.valid()) {
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        cmsghdr* const header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        const int fd = unsent.with.get();
        std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
    }
    return ::sendmsg(fd_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void MessageSocket::send(std::vector<std::byte> message, Fd with) {
    if (given_up_) return;
    if (unsent_.size() >= kMostUnsent) return give_up(Trouble::kFull);
    unsent_.push_back({std::move(message), std::move(with)});
    flush();
}

void MessageSocket::flush() {
    while (!given_up_ && !unsent_.empty()) {
        if (pass(unsent_.front()) < 0) {
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
