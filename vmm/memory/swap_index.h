// SwapIndex: which pages are in the swap file, and where there is room in it. Pure; who holds it guards it.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "vmm/memory/chunk_table.h"
#include "vmm/memory/swap_file.h"

namespace carrel {

// The file is cut into frames of a page's size, and those into eight units. A page lies in one frame, in as
// few units beside each other as its packed bytes take: so a page of any length can go where one of that
// length was, nothing has to be moved, and a byte a frame tells what is free. The lowest that fits is taken,
// so that the file is no longer than it has to be.
class SwapIndex {
  public:
    SwapIndex(uint64_t size, size_t chunks);

    const SwapPlace* find(size_t chunk, uint64_t page) const;  // null: it isn't there
    // Room for so many bytes; nothing: there is none. Either kept for a page, which isn't there yet, or
    // freed.
    std::optional<SwapPlace> reserve(size_t length);
    void free(const SwapPlace& place);
    void keep(size_t chunk, uint64_t page, const SwapPlace& place);
    bool drop(size_t chunk, uint64_t page);  // false: it isn't there

    uint64_t pages() const { return pages_; }
    uint64_t bytes() const { return units_ * kSwapUnit; }  // of the file, in use

  private:
    using Places = std::array<SwapPlace, kChunkPages>;
    struct Chunk {
        std::unique_ptr<Places> places;  // none: none of it is there
        uint16_t pages = 0;
    };
    std::vector<Chunk> chunks_;
    std::vector<uint8_t> frames_;                  // a bit a unit: it is in use
    std::array<size_t, kSwapUnits + 1> lowest_{};  // by units: there is no room for so many before it
    uint64_t pages_ = 0;
    uint64_t units_ = 0;
};

}  // namespace carrel
