#include "devices/virtio/vsock/vsock_connection.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

namespace carrel::virtio {
namespace {

// Bytes taken, 0 where the socket is full, -1 where it is gone.
ssize_t send_some(int fd, std::span<iovec> pieces) {
    msghdr message{};
    message.msg_iov = pieces.data();
    message.msg_iovlen = pieces.size();
    const ssize_t done = ::sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (done >= 0) return done;
    return errno == EAGAIN || errno == EINTR || errno == ENOBUFS ? 0 : -1;
}

}  // namespace

uint32_t VsockConnection::interest() const {
    const bool in = state == State::kGreeting || (wants_data() && !readable);
    return (in ? unsigned{EPOLLIN} : 0u) | (buffered() != 0 ? unsigned{EPOLLOUT} : 0u);
}

// 5.10.6.3: tells the guest before it can run out.
void VsockConnection::count(size_t bytes) {
    forwarded += static_cast<uint32_t>(bytes);
    if (forwarded - told_forwarded >= kBuffer / 2) credit_due = true;
}

bool VsockConnection::take(ChainReader& reader, uint32_t length) {
    std::array<iovec, 16> pieces;
    ChainReader ahead = reader;
    if (const size_t pieces_count = buffered() == 0 ? ahead.gather(length, pieces) : 0; pieces_count != 0) {
        const ssize_t done = send_some(fd.get(), std::span(pieces).first(pieces_count));
        if (done < 0) return false;
        count(static_cast<size_t>(done));
        reader.skip(static_cast<uint32_t>(done));
        length -= static_cast<uint32_t>(done);
    }
    if (length == 0) return true;
    buffer.erase(buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(written));
    written = 0;
    const size_t before = buffer.size();
    buffer.resize(before + length);
    reader.read(std::span(buffer).subspan(before));
    return true;
}

bool VsockConnection::flush() {
    if (buffered() == 0) return true;
    iovec rest{buffer.data() + written, buffered()};
    const ssize_t done = send_some(fd.get(), {&rest, 1});
    if (done < 0) return false;
    count(static_cast<size_t>(done));
    written += static_cast<size_t>(done);
    if (buffered() != 0) return true;
    buffer.clear();
    written = 0;
    return true;
}

}  // namespace carrel::virtio
