// RamMap: which guest-physical ranges are RAM.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "vmm/model/address_map_x86.h"
#include "vmm/model/gpa.h"

namespace carrel {

struct RamRange {
    Gpa base;
    uint64_t size;  // bytes, a multiple of 4 KiB
    Gpa end() const { return base + size; }
    bool operator==(const RamRange&) const = default;
};

// Sorted, disjoint, not adjacent.
struct RamMap {
    std::vector<RamRange> ranges;

    // `size` bytes, split at the PCI hole.
    static RamMap of_size(uint64_t size) {
        const uint64_t low = std::min(size, raw(address_map::kHoleStart));
        RamMap map{{RamRange{Gpa{0}, low}}};
        if (size > low) map.ranges.push_back(RamRange{address_map::kHoleEnd, size - low});
        return map;
    }
    uint64_t total() const {
        uint64_t sum = 0;
        for (const RamRange& range : ranges) sum += range.size;
        return sum;
    }
    bool overlaps(Gpa base, uint64_t size) const {
        return std::ranges::any_of(ranges, [&](const RamRange& range) {
            return raw(base) < raw(range.end()) &&
                   (raw(range.base) <= raw(base) || raw(range.base) - raw(base) < size);
        });
    }
    const RamRange& low() const { return ranges.front(); }
    bool operator==(const RamMap&) const = default;
};

}  // namespace carrel
