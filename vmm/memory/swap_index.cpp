#include "vmm/memory/swap_index.h"

#include <algorithm>

#include "vmm/base/check.h"

namespace carrel {
namespace {

unsigned mask_of(uint64_t units, unsigned shift) {
    return ((1U << units) - 1) << shift;
}

// The first place in the frame where so many units are free.
std::optional<unsigned> gap_in(uint8_t frame, uint64_t units) {
    for (unsigned shift = 0; shift + units <= kSwapUnits; ++shift)
        if ((frame & mask_of(units, shift)) == 0) return shift;
    return std::nullopt;
}

}  // namespace

SwapIndex::SwapIndex(uint64_t size, size_t chunks) : chunks_(chunks), frames_(size / kPageSize) {
    CHECK(size / kSwapUnit <= UINT32_MAX);
}

const SwapPlace* SwapIndex::find(size_t chunk, uint64_t page) const {
    const Chunk& c = chunks_[chunk];
    if (!c.places || (*c.places)[page].length == 0) return nullptr;
    return &(*c.places)[page];
}

std::optional<SwapPlace> SwapIndex::reserve(size_t length) {
    CHECK(length != 0 && length <= kPageSize);
    SwapPlace place{0, 0, static_cast<uint16_t>(length)};
    const uint64_t units = place.units();
    for (size_t& frame = lowest_[units]; frame < frames_.size(); ++frame) {
        const auto gap = gap_in(frames_[frame], units);
        if (!gap) continue;
        frames_[frame] = static_cast<uint8_t>(frames_[frame] | mask_of(units, *gap));
        units_ += units;
        place.unit = static_cast<uint32_t>(frame * kSwapUnits + *gap);
        return place;
    }
    return std::nullopt;
}

void SwapIndex::free(const SwapPlace& place) {
    const size_t frame = place.unit / kSwapUnits;
    const unsigned mask = mask_of(place.units(), place.unit % kSwapUnits);
    CHECK((frames_[frame] & mask) == mask);
    frames_[frame] = static_cast<uint8_t>(frames_[frame] & ~mask);
    units_ -= place.units();
    for (size_t& lowest : lowest_) lowest = std::min(lowest, frame);
}

void SwapIndex::keep(size_t chunk, uint64_t page, const SwapPlace& place) {
    Chunk& c = chunks_[chunk];
    if (!c.places) c.places = std::make_unique<Places>();
    CHECK((*c.places)[page].length == 0);
    (*c.places)[page] = place;
    ++c.pages;
    ++pages_;
}

bool SwapIndex::drop(size_t chunk, uint64_t page) {
    const SwapPlace* const place = find(chunk, page);
    if (place == nullptr) return false;
    free(*place);
    (*chunks_[chunk].places)[page] = {};
    if (--chunks_[chunk].pages == 0) chunks_[chunk].places.reset();
    --pages_;
    return true;
}

}  // namespace carrel
