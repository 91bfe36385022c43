#include "devices/backends/frame_writer.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <utility>

#include "devices/backends/frame_pieces.h"
#include "vmm/base/check.h"

namespace carrel {
namespace {

std::array<std::byte, kFrameLengthBytes> length_bytes(size_t length) {
    return {std::byte(length >> 24), std::byte(length >> 16), std::byte(length >> 8), std::byte(length)};
}

// Never waits, never raises SIGPIPE. Bytes, or -errno.
ssize_t send_pieces(int fd, std::span<iovec> pieces) {
    msghdr message{};
    message.msg_iov = pieces.data();
    message.msg_iovlen = pieces.size();
    ssize_t sent = 0;
    do sent = ::sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : sent;
}

}  // namespace

// Room for the rest of a large frame behind what was gathered.
FrameWriter::FrameWriter() : buffer_(kGathered + kFrameLengthBytes + kLongestFrame), pieces_(IOV_MAX) {}

int FrameWriter::send(int fd, std::span<const iovec> frame) {
    const size_t length = bytes_in(frame);
    if (length < kShortestFrame || length > kLongestFrame || frame.size() >= pieces_.size()) return -EMSGSIZE;
    const size_t needed = kFrameLengthBytes + length;
    const bool small = length <= kSmall;
    if (!empty() && (!small || end_ - begin_ + needed > kGathered)) {
        if (const int error = flush(fd); error != 0) return error;
    }
    if (!small) return send_large(fd, frame, length);
    gather(frame, length, 0);
    return 0;
}

int FrameWriter::flush(int fd) {
    while (!empty()) {
        iovec piece{buffer_.data() + begin_, end_ - begin_};
        const ssize_t sent = send_pieces(fd, {&piece, 1});
        if (sent < 0) return static_cast<int>(sent);
        begin_ += static_cast<size_t>(sent);
    }
    clear();
    return 0;
}

// The length and the frame, without the first `skipped` bytes of both.
void FrameWriter::gather(std::span<const iovec> frame, size_t length, size_t skipped) {
    if (begin_ != 0) {
        std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
        end_ -= std::exchange(begin_, 0);
    }
    auto prefix = length_bytes(length);
    const auto copy = [&](const void* data, size_t size) {
        const size_t skip = std::min(skipped, size);
        skipped -= skip;
        CHECK(size - skip <= buffer_.size() - end_);
        std::memcpy(buffer_.data() + end_, static_cast<const std::byte*>(data) + skip, size - skip);
        end_ += size - skip;
    };
    copy(prefix.data(), prefix.size());
    for (const iovec& piece : frame) copy(piece.iov_base, piece.iov_len);
}

int FrameWriter::send_large(int fd, std::span<const iovec> frame, size_t length) {
    auto prefix = length_bytes(length);
    pieces_[0] = {prefix.data(), prefix.size()};
    std::ranges::copy(frame, pieces_.begin() + 1);
    const ssize_t sent = send_pieces(fd, std::span(pieces_).first(frame.size() + 1));
    if (sent < 0) return static_cast<int>(sent);
    if (const auto gone = static_cast<size_t>(sent); gone < kFrameLengthBytes + length)
        gather(frame, length, gone);
    return 0;
}

}  // namespace carrel
