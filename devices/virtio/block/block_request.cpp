#include "devices/virtio/block/block_request.h"

#include "devices/virtio/queue/chain_io.h"

namespace carrel::virtio {
namespace {

// The next `length` bytes of `bytes`, which are in at most `pieces` pieces, as a list of our own.
template <class Cursor>
std::vector<iovec> cut_out(Cursor& bytes, uint32_t length, size_t pieces) {
    std::vector<iovec> list(pieces);
    list.resize(bytes.gather(length, list));
    return list;
}

}  // namespace

std::optional<BlockRequest> BlockRequest::read(const DescriptorChain& chain) {
    ChainReader out(chain);
    const auto header = out.get<BlockHeader>();
    if (!header || chain.writable_bytes() < 1) return std::nullopt;
    const WritablePieces in = chain.writable();
    const auto last = in[in.size() - 1];
    BlockRequest request{};
    request.header = *header;
    request.status = last.last(1);
    if (header->type == kBlockOut) {
        request.data_bytes = out.remaining();
        const auto whole = out.whole_pieces();
        if (whole) request.data = *whole;
        if (!whole) request.cut = cut_out(out, out.remaining(), chain.readable().size());
    } else {
        request.data_bytes = chain.writable_bytes() - 1;
        request.data = in.iovecs().first(in.size() - 1);
        ChainWriter data(chain);
        if (last.size() > 1) request.cut = cut_out(data, request.data_bytes, in.size());
    }
    if (!request.cut.empty()) request.data = request.cut;  // which stays where it is when the request moves
    return request;
}

std::vector<BlockSegment> BlockRequest::segments(const DescriptorChain& chain, size_t most) const {
    ChainReader reader(chain);
    reader.skip(sizeof(BlockHeader));
    const size_t count = reader.remaining() / sizeof(BlockSegment);
    if (count > most || reader.remaining() % sizeof(BlockSegment) != 0) return {};
    std::vector<BlockSegment> list;
    list.reserve(count);
    while (const auto segment = reader.get<BlockSegment>()) list.push_back(*segment);
    return list;
}

}  // namespace carrel::virtio
