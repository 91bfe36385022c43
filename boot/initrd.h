// The initial RAM disk: placed first, read last, one copy, straight into guest memory.
#pragma once

#include <cstdint>
#include <optional>

#include "boot/loader.h"
#include "boot/range_allocator.h"

namespace carrel::boot {

struct Initrd {
    Gpa base{0};
    uint64_t size = 0;
};

// Claims the highest place below `limit` and the end of low RAM. Nothing for no file. `limit` is exclusive.
Result<std::optional<Initrd>> place_initrd(const InputFile* file, Gpa limit, RangeAllocator& ranges);
// Fills the place from the file, which must still have its bytes.
Result<void> read_initrd(const InputFile& file, const Initrd& initrd, GuestMemory& memory);

}  // namespace carrel::boot
