#include "devices/virtio/queue/chain_slots.h"

#include <algorithm>

#include "vmm/base/check.h"

namespace carrel::virtio {
namespace {

// Enough for 32 requests of 1 MiB in single pages; never touched where requests are smaller.
constexpr uint32_t kPoolPieces = 8192;

uint32_t units_for(uint32_t pieces) {
    return (pieces + PiecePool::kUnit - 1) / PiecePool::kUnit;
}

}  // namespace

PiecePool::PiecePool(uint32_t pieces)
    : units_(units_for(pieces)),
      pieces_(std::make_unique_for_overwrite<iovec[]>(size_t{units_} * kUnit)),
      bits_((units_ + 63) / 64) {}

void PiecePool::mark(uint32_t first, uint32_t units, bool value) {
    for (uint32_t unit = first; unit < first + units; ++unit) {
        const uint64_t bit = uint64_t{1} << unit % 64;
        bits_[unit / 64] = value ? bits_[unit / 64] | bit : bits_[unit / 64] & ~bit;
    }
}

iovec* PiecePool::take(uint32_t count) {
    const uint32_t wanted = units_for(count);
    uint32_t run = 0;
    for (uint32_t unit = 0; unit < units_; ++unit) {
        run = taken(unit) ? 0 : run + 1;
        if (run < wanted) continue;
        const uint32_t first = unit + 1 - wanted;
        mark(first, wanted, true);
        return pieces_.get() + size_t{first} * kUnit;
    }
    return nullptr;
}

void PiecePool::give_back(const iovec* pieces, uint32_t count) {
    const auto first = static_cast<uint32_t>((pieces - pieces_.get()) / kUnit);
    mark(first, units_for(count), false);
}

ChainSlots::ChainSlots(uint16_t size)
    : size_(size),
      slots_(std::make_unique_for_overwrite<ChainSlot[]>(size)),
      pool_(std::max<uint32_t>(kPoolPieces, size)) {}

ChainSlot* ChainSlots::take(std::span<const iovec> pieces) {
    const auto count = static_cast<uint32_t>(pieces.size());
    iovec* const room = count > ChainSlot::kInline ? pool_.take(count) : nullptr;
    if (count > ChainSlot::kInline && room == nullptr) return nullptr;
    CHECK(in_use_ < size_);  // the ring has counted: no more chains in flight than it has places
    ChainSlot* slot = free_;
    if (slot != nullptr) {
        free_ = slot->next_free;
    } else {
        slot = &slots_[fresh_++];
    }
    ++in_use_;
    slot->pieces = room != nullptr ? room : slot->inline_pieces.data();
    std::copy(pieces.begin(), pieces.end(), slot->pieces);
    return slot;
}

void ChainSlots::give_back(ChainSlot& slot) {
    if (slot.pieces != slot.inline_pieces.data())
        pool_.give_back(slot.pieces, uint32_t{slot.readable_count} + slot.writable_count);
    slot.next_free = free_;
    free_ = &slot;
    --in_use_;
}

}  // namespace carrel::virtio
