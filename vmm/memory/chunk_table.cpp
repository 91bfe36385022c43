#include "vmm/memory/chunk_table.h"

#include <utility>

#include "vmm/base/check.h"

namespace carrel {
namespace {

bool untouched(ChunkState state) {
    return state == ChunkState::kEmpty || state == ChunkState::kDiscarded;
}
bool has_pages(ChunkState state) {
    return state == ChunkState::kGranted || state == ChunkState::kArmed;
}
bool counts_pages(ChunkState state) {
    return state == ChunkState::kArmed || state == ChunkState::kLeaving;
}

}  // namespace

// What is denied stays so.
void ChunkTable::become(Chunk& chunk, ChunkState state) {
    if (chunk.state != ChunkState::kDenied) chunk.state = state;
    chunk.beneath = state;
    if (!counts_pages(state)) chunk.pages.reset();
}

// What an ARMED or SWAPPED one is after something of it has come or gone.
void ChunkTable::settle(Chunk& chunk) {
    if (chunk.beneath == ChunkState::kLeaving) return;  // until it has left
    if (chunk.pages && chunk.pages->any()) return become(chunk, ChunkState::kArmed);
    become(chunk, chunk.swapped != 0 ? ChunkState::kSwapped : ChunkState::kDiscarded);
}

bool ChunkTable::holds_pages(size_t chunk) const {
    const ChunkState state = chunks_[chunk].beneath;
    return has_pages(state) || state == ChunkState::kLeaving;
}

std::bitset<kChunkPages>& ChunkTable::pages_of(Chunk& chunk) {
    if (!chunk.pages) chunk.pages = std::make_unique<std::bitset<kChunkPages>>();
    return *chunk.pages;
}

uint64_t ChunkTable::charged(size_t chunk) const {
    const Chunk& c = chunks_[chunk];
    if (c.pages) return c.pages->count();
    return c.beneath == ChunkState::kGranted ? kChunkPages : 0;
}

bool ChunkTable::has_page(size_t chunk, uint64_t page) const {
    const Chunk& c = chunks_[chunk];
    return c.pages ? c.pages->test(page) : charged(chunk) != 0;
}

void ChunkTable::give(size_t chunk) {
    Chunk& c = chunks_[chunk];
    CHECK((untouched(c.beneath) || c.beneath == ChunkState::kArmed) && c.swapped == 0);
    become(c, ChunkState::kGranted);
    c.state = c.beneath;
    c.fresh = true;
}

void ChunkTable::give_page(size_t chunk, uint64_t page) {
    Chunk& c = chunks_[chunk];
    CHECK(c.state != ChunkState::kGranted && c.state != ChunkState::kDenied);
    pages_of(c).set(page);
    settle(c);
    c.fresh = true;
}

void ChunkTable::deny(size_t chunk) {
    Chunk& c = chunks_[chunk];
    CHECK(untouched(c.state) || c.state == ChunkState::kArmed || c.state == ChunkState::kSwapped);
    c.state = ChunkState::kDenied;
}

void ChunkTable::allow(size_t chunk) {
    Chunk& c = chunks_[chunk];
    CHECK(c.state == ChunkState::kDenied);
    c.state = c.beneath;
}

uint64_t ChunkTable::take_all(size_t chunk) {
    Chunk& c = chunks_[chunk];
    CHECK(c.state != ChunkState::kLeaving);
    const uint64_t pages = charged(chunk);
    c.swapped = 0;
    become(c, ChunkState::kDiscarded);
    c.owes = false;
    return pages;
}

uint64_t ChunkTable::take_pages(size_t chunk, uint64_t first, uint64_t count) {
    Chunk& c = chunks_[chunk];
    CHECK(holds_pages(chunk) && first + count <= kChunkPages);
    if (c.beneath == ChunkState::kGranted) {
        become(c, ChunkState::kArmed);
        pages_of(c).set();
    }
    const uint64_t before = c.pages->count();
    for (uint64_t page = first; page < first + count; ++page) c.pages->reset(page);
    const uint64_t left = c.pages->count();
    settle(c);
    return before - left;
}

void ChunkTable::start_leaving(size_t chunk) {
    Chunk& c = chunks_[chunk];
    CHECK(has_pages(c.state) && c.pins == 0);
    if (c.state == ChunkState::kGranted) pages_of(c).set();
    become(c, ChunkState::kLeaving);
}

void ChunkTable::went(size_t chunk, uint64_t page) {
    Chunk& c = chunks_[chunk];
    CHECK(c.state == ChunkState::kLeaving && c.pages->test(page));
    c.pages->reset(page);
    ++c.swapped;
}

void ChunkTable::left(size_t chunk) {
    Chunk& c = chunks_[chunk];
    CHECK(c.state == ChunkState::kLeaving);
    become(c, ChunkState::kArmed);
    settle(c);
}

void ChunkTable::came(size_t chunk, uint64_t page) {
    CHECK(chunks_[chunk].swapped != 0);
    --chunks_[chunk].swapped;
    give_page(chunk, page);
}

void ChunkTable::lost(size_t chunk, uint64_t pages) {
    Chunk& c = chunks_[chunk];
    CHECK(pages <= c.swapped);
    c.swapped = static_cast<uint16_t>(c.swapped - pages);
    if (c.beneath == ChunkState::kSwapped) settle(c);
}

bool ChunkTable::unpin(size_t chunk) {
    Chunk& c = chunks_[chunk];
    CHECK(c.pins != 0);
    return --c.pins == 0 && std::exchange(c.owes, false);
}

std::optional<size_t> ChunkTable::next_victim() {
    for (size_t step = 0; step < 2 * chunks_.size(); ++step) {
        const size_t chunk = std::exchange(hand_, (hand_ + 1) % chunks_.size());
        Chunk& c = chunks_[chunk];
        if (!has_pages(c.state) || c.pins != 0) continue;
        if (!std::exchange(c.fresh, false)) return chunk;
    }
    return std::nullopt;
}

}  // namespace carrel
