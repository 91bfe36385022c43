// DiskGeometry: what the host says of the medium below an image: sizes, and what it can do with a range.
#pragma once

#include <sys/stat.h>

#include <cstdint>

#include "vmm/base/result.h"

namespace carrel {

struct DiskGeometry {
    uint64_t bytes = 0;             // whole sectors of 512
    uint32_t block_size = 512;      // what the guest is told to read and write at once: 512 or 4096
    uint32_t physical_block = 512;  // what the medium writes at once
    uint32_t alignment_offset = 0;  // of the first physical block, in bytes
    uint32_t least_io = 0;          // bytes; 0: nothing known
    uint32_t best_io = 0;
    bool punches = false;  // fallocate(2) takes room back
    bool zeroes = false;   // and makes zeros without writing them

    // Of a file or block device; anything else is an error, as is what can't be asked.
    static Result<DiskGeometry> of(int fd, bool read_only);
    // How many bytes it has now, or 0. Never waits for a file server: what is known here has to do.
    static uint64_t bytes_now(int fd);
};

// What O_DIRECT needs offsets, lengths and addresses to be multiples of, for a descriptor that has it.
uint32_t direct_alignment(int fd);

}  // namespace carrel
