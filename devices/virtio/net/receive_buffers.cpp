#include "devices/virtio/net/receive_buffers.h"

#include <algorithm>
#include <utility>

#include "devices/virtio/queue/chain_io.h"

namespace carrel::virtio {

bool ReceiveBuffers::fits(const DescriptorChain& chain) {
    return chain.readable_bytes() == 0 && chain.writable_bytes() >= kLeastChain;
}

void ReceiveBuffers::add(DescriptorChain chain) {
    bytes_ += chain.writable_bytes();
    pieces_ += chain.writable().size();
    chains_[(first_ + count_++) % chains_.size()].emplace(std::move(chain));
}

DescriptorChain ReceiveBuffers::take_first() {
    DescriptorChain chain = std::move(at(0));
    chains_[first_].reset();
    first_ = (first_ + 1) % chains_.size();
    --count_;
    bytes_ -= chain.writable_bytes();
    pieces_ -= chain.writable().size();
    return chain;
}

// The pieces of `chain` behind its first `skip` bytes.
void ReceiveBuffers::list_rest(const DescriptorChain& chain, uint32_t skip, size_t& used) {
    const WritablePieces pieces = chain.writable();
    for (const iovec& piece : pieces.iovecs()) {
        const size_t cut = std::min<size_t>(skip, piece.iov_len);
        skip -= static_cast<uint32_t>(cut);
        if (cut == piece.iov_len) continue;
        list_[used++] = {static_cast<std::byte*>(piece.iov_base) + cut, piece.iov_len - cut};
    }
}

std::span<const iovec> ReceiveBuffers::pieces(bool merge) {
    size_t used = 0;
    list_[used++] = {&start_.header, sizeof start_.header};
    list_[used++] = {&start_.ethernet, sizeof start_.ethernet};
    list_rest(at(0), kLeastChain, used);
    for (size_t i = 1; merge && i < count_; ++i) list_rest(at(i), 0, used);
    list_[used++] = {&overflow_, sizeof overflow_};
    offered_ = merge ? bytes_ : at(0).writable_bytes();
    return std::span(list_).first(used);
}

void ReceiveBuffers::complete(uint32_t bytes) {
    uint16_t buffers = 0;
    for (uint32_t room = 0; room < bytes; ++buffers) room += at(buffers).writable_bytes();
    start_.header.num_buffers = buffers;  // 5.1.6.4.1: 1, where they aren't merged
    ChainWriter(at(0)).write(std::as_bytes(std::span(&start_, 1)));
    while (bytes != 0) {
        DescriptorChain chain = take_first();
        const uint32_t part = std::min(bytes, chain.writable_bytes());
        chain.complete(part);
        bytes -= part;
    }
}

void ReceiveBuffers::put_back() {
    while (count_ != 0) {
        DescriptorChain chain = std::move(at(count_ - 1));
        chains_[(first_ + --count_) % chains_.size()].reset();
        chain.put_back();
    }
    bytes_ = 0;
    pieces_ = 0;
}

void ReceiveBuffers::abandon() {
    while (count_ != 0) take_first().abandon();
}

}  // namespace carrel::virtio
