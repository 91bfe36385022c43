#include "devices/backends/frame_pieces.h"

#include <algorithm>
#include <cstring>

#include "devices/backends/net_backend.h"
#include "vmm/base/check.h"

namespace carrel {

size_t bytes_in(std::span<const iovec> pieces) {
    size_t bytes = 0;
    for (const iovec& piece : pieces) bytes += piece.iov_len;
    return bytes;
}

void gather(std::span<std::byte> into, std::span<const iovec> pieces) {
    size_t done = 0;
    for (const iovec& piece : pieces) {
        const size_t count = std::min(piece.iov_len, into.size() - done);
        std::memcpy(into.data() + done, piece.iov_base, count);
        done += count;
    }
    CHECK(done == into.size());
}

ssize_t scatter(std::span<const iovec> pieces, std::span<const std::byte> frame) {
    CHECK(pieces.front().iov_len == sizeof(NetHeader));
    std::memset(pieces.front().iov_base, 0, sizeof(NetHeader));
    size_t done = 0;
    for (const iovec& piece : pieces.subspan(1)) {
        const size_t count = std::min(piece.iov_len, frame.size() - done);
        std::memcpy(piece.iov_base, frame.data() + done, count);
        done += count;
    }
    return static_cast<ssize_t>(sizeof(NetHeader) + done);
}

}  // namespace carrel
