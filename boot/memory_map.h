// The guest's memory map, as the BIOS call e820 would give it (ACPI specification 6.5, section 15).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "vmm/model/ram_map.h"

namespace carrel::boot {

enum class MemoryType : uint32_t { kRam = 1, kReserved = 2 };

struct MemoryMapEntry {
    Gpa base;
    uint64_t size;
    MemoryType type;
    bool operator==(const MemoryMapEntry&) const = default;
};

// RAM without the PC's reserved range below 1 MiB (boot_layout_x86.h) and without `reserved`, which are told
// as such, in RAM or not. Sorted, disjoint.
std::vector<MemoryMapEntry> memory_map(const RamMap& ram, std::span<const RamRange> reserved);

}  // namespace carrel::boot
