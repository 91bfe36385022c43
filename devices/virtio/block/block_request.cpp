#include "devices/virtio/block/block_request.h"

#include <algorithm>
#include <atomic>
#include <cstring>

namespace carrel::virtio {
namespace {

// The header as one copy of our own; what is behind it begins `skip` bytes into piece `piece`.
struct Front {
    BlockHeader header;
    size_t piece;
    size_t skip;
};

Front read_front(const ReadablePieces& pieces) {
    Front front{};
    size_t have = 0;
    while (have < sizeof front.header) {
        const auto piece = pieces[front.piece];
        const size_t part = std::min(piece.size(), sizeof front.header - have);
        std::memcpy(reinterpret_cast<std::byte*>(&front.header) + have, piece.data(), part);
        have += part;
        if (part == piece.size()) {
            ++front.piece;
        } else {
            front.skip = part;
        }
    }
    std::atomic_signal_fence(std::memory_order_seq_cst);  // the copy stays a copy: see ring_access.h
    return front;
}

std::vector<iovec> without_first(std::span<const iovec> pieces, size_t skip) {
    std::vector<iovec> rest(pieces.begin(), pieces.end());
    rest.front().iov_base = static_cast<std::byte*>(rest.front().iov_base) + skip;
    rest.front().iov_len -= skip;
    return rest;
}

}  // namespace

std::optional<BlockRequest> BlockRequest::read(const DescriptorChain& chain) {
    if (chain.readable_bytes() < sizeof(BlockHeader) || chain.writable_bytes() < 1) return std::nullopt;
    const Front front = read_front(chain.readable());
    const auto out = chain.readable().iovecs();
    const auto in = chain.writable().iovecs();
    BlockRequest request{};
    request.header = front.header;
    const auto last = chain.writable()[in.size() - 1];
    request.status = last.last(1);
    if (front.header.type == kBlockOut) {
        request.data_bytes = chain.readable_bytes() - static_cast<uint32_t>(sizeof(BlockHeader));
        request.data = out.subspan(std::min(front.piece, out.size()));
        if (front.skip != 0) request.cut = without_first(request.data, front.skip);
    } else {
        request.data_bytes = chain.writable_bytes() - 1;
        request.data = in.first(in.size() - 1);
        if (last.size() > 1) {
            request.cut.assign(in.begin(), in.end());
            request.cut.back().iov_len -= 1;
        }
    }
    if (!request.cut.empty()) request.data = request.cut;
    return request;
}

}  // namespace carrel::virtio
