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

bool BlockRequest::read(const DescriptorChain& chain) {
    ChainReader out(chain);
    const auto head = out.get<BlockHeader>();
    if (!head || chain.writable_bytes() < 1) return false;
    const WritablePieces in = chain.writable();
    const auto last = in[in.size() - 1];
    header = *head;
    status = last.last(1);
    if (header.type == kBlockOut) {
        data_bytes = out.remaining();
        const auto whole = out.whole_pieces();
        if (whole) data = *whole;
        if (!whole) cut = cut_out(out, out.remaining(), chain.readable().size());
    } else {
        data_bytes = chain.writable_bytes() - 1;
        data = in.iovecs().first(in.size() - 1);
        ChainWriter rest(chain);
        if (last.size() > 1) cut = cut_out(rest, data_bytes, in.size());
    }
    if (!cut.empty()) data = cut;  // which stays where it is when the request moves
    return true;
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
