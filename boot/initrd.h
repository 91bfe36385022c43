// The initial RAM disk: placed first, read last, one copy, straight into guest memory.
#pragma once

#include <cstdint>
#include <optional>

#include "boot/kernel_image.h"
#include "boot/loader.h"
#include "boot/range_allocator.h"

namespace carrel::boot {

struct Initrd {
    Gpa base{0};
    uint64_t size = 0;
    FileState file = {};  // before it is read
};

// How high a kernel takes its initrd.
struct InitrdLimit {
    Gpa end{0};        // exclusive
    std::string from;  // who says so: "initrd_addr_max at offset 0x22c of vmlinuz"
};

// Claims the highest place below `limit` and the end of low RAM. Nothing for no file.
Result<std::optional<Initrd>> place_initrd(const InputFile* file, const InitrdLimit& limit,
                                           RangeAllocator& ranges);
// Fills the place from the file, which must still be what it was.
Result<void> read_initrd(const InputFile& file, const Initrd& initrd, GuestMemory& memory);

}  // namespace carrel::boot
