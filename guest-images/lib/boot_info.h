// What the loader told us, in one form for both ways of being loaded, copied out of the loader's structures
// at once: the memory that they lie in counts as free afterwards.
#pragma once
#include <cstdint>

#include "lib/text.h"

namespace guest {

struct MemoryRange {
    std::uint64_t base, size;
    constexpr std::uint64_t end() const { return base + size; }
};

struct BootInfo {
    static constexpr unsigned kMaxRanges = 16;
    static constexpr unsigned kMaxCmdline = 1024;

    bool pvh = false;
    std::uint64_t rsdp = 0;
    unsigned range_count = 0;
    MemoryRange ranges[kMaxRanges] = {};  // usable RAM only (e820 type 1)
    Text cmdline;
};

const BootInfo& boot_info();

// The value of `name=value` on the command line, quotes taken off; `otherwise` when it isn't there.
Text option(Text name, Text otherwise = {});
std::uint64_t option_number(Text name, std::uint64_t otherwise);

// Called once by start.cpp: `kind` 0 = boot_params, 1 = hvm_start_info.
void boot_info_init(unsigned kind, std::uint64_t address);

}  // namespace guest
