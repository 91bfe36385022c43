#include "boot/memory_map.h"

#include <algorithm>

#include "boot/boot_layout_x86.h"

namespace carrel::boot {
namespace {

// Takes [base, end) out of all entries.
void cut(std::vector<MemoryMapEntry>& map, Gpa base, Gpa end) {
    std::vector<MemoryMapEntry> left;
    for (const MemoryMapEntry& entry : map) {
        const Gpa entry_end = entry.base + entry.size;
        const Gpa before = std::min(entry_end, base);
        const Gpa after = std::max(entry.base, end);
        if (before > entry.base) left.push_back({entry.base, before - entry.base, entry.type});
        if (after < entry_end) left.push_back({after, entry_end - after, entry.type});
    }
    map = std::move(left);
}

void reserve(std::vector<MemoryMapEntry>& map, Gpa base, Gpa end) {
    if (base >= end) return;
    cut(map, base, end);
    map.push_back({base, end - base, MemoryType::kReserved});
}

}  // namespace

std::vector<MemoryMapEntry> memory_map(const RamMap& ram, std::span<const RamRange> reserved) {
    std::vector<MemoryMapEntry> map;
    map.reserve(ram.ranges.size());
    for (const RamRange& range : ram.ranges) map.push_back({range.base, range.size, MemoryType::kRam});
    reserve(map, layout::kLowReserved, layout::kLowReservedEnd);
    for (const RamRange& range : reserved) reserve(map, range.base, range.end());
    std::sort(map.begin(), map.end(),
              [](const MemoryMapEntry& a, const MemoryMapEntry& b) { return a.base < b.base; });
    return map;
}

}  // namespace carrel::boot
