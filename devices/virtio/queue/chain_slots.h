// ChainSlots: where chains in flight keep their pieces. Everything is allocated when the queue is opened, and
// a page of it is touched only when that many chains are in flight.
//
// A slot has room for the few pieces of an ordinary chain. Longer chains keep theirs in a pool, in
// consecutive units of 16 pieces. Pieces of a chain lie side by side, so that they are one array of iovec.
#pragma once

#include <sys/uio.h>

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace carrel::virtio {

// Runs of units, first fit, by a bitmap.
class PiecePool {
  public:
    static constexpr uint32_t kUnit = 16;
    explicit PiecePool(uint32_t pieces);

    // Room for `count` pieces; null where no run of free units is long enough. An empty pool always has room
    // for what it was made for.
    iovec* take(uint32_t count);
    void give_back(const iovec* pieces, uint32_t count);

  private:
    bool taken(uint32_t unit) const { return (bits_[unit / 64] >> unit % 64 & 1) != 0; }
    void mark(uint32_t first, uint32_t units, bool value);

    const uint32_t units_;
    std::unique_ptr<iovec[]> pieces_;
    std::vector<uint64_t> bits_;
};

struct ChainSlot {
    static constexpr uint32_t kInline = 8;

    std::span<const iovec> readable() const { return {pieces, readable_count}; }
    std::span<const iovec> writable() const { return {pieces + readable_count, writable_count}; }

    iovec* pieces;
    uint32_t readable_bytes;
    uint32_t writable_bytes;
    uint16_t id;           // split: the chain's head; packed: the buffer's id
    uint16_t descriptors;  // by how much it moves the ring's indices on
    uint16_t place;        // the ring's next_avail before it was taken
    uint16_t readable_count;
    uint16_t writable_count;
    ChainSlot* next_free;
    std::array<iovec, kInline> inline_pieces;
};

class ChainSlots {
  public:
    // For a queue of `size`.
    explicit ChainSlots(uint16_t size);

    // A slot with a copy of `pieces`, the rest of it to be filled in by the caller; null when the pool has no
    // room for so many now.
    ChainSlot* take(std::span<const iovec> pieces);
    void give_back(ChainSlot& slot);
    uint16_t in_use() const { return in_use_; }

  private:
    const uint16_t size_;
    std::unique_ptr<ChainSlot[]> slots_;
    PiecePool pool_;
    ChainSlot* free_ = nullptr;
    uint16_t fresh_ = 0;  // slots from here on were never used
    uint16_t in_use_ = 0;
};

}  // namespace carrel::virtio
