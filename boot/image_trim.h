// What unpacking has touched and the guest has no use for.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "boot/elf_file.h"
#include "boot/zero_bytes.h"

namespace carrel::boot {

struct ImageRange {
    uint64_t offset, size;  // in the image
};

// Whole sections of stored zeros (Linux: .init.scratch, 4 MiB for memory encryption), of 2 MiB or more, which
// a payload brings along and a guest hardly ever touches. Not .bss and .brk: the guest clears those at once.
// Only a hint: what the file says wrongly about its sections gives fewer ranges, or others of zeros.
// `payload`: the whole ELF file, with its segments not yet moved; `skipped`: zeros of it that the codec left
// out.
std::vector<ImageRange> find_stored_zeros(const ElfFile& elf, std::span<const std::byte> payload,
                                          std::span<const ByteRange> skipped);

}  // namespace carrel::boot
