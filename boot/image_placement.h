// Putting an ELF kernel's segments where they belong in guest memory, with as few bytes moved as possible.
//
//   A vmlinux file: copied once, page by page; pages of zeros are left out, because guest memory is fresh.
//
//   An unpacked payload is an ELF file too, and lies in guest memory already. It was unpacked so that its
//   first segment is in place; the others need a short move where their distance in the file isn't that in
//   memory:
//
//   unpacked at   |ELF header, padding|text, rodata|data|padding|percpu|init, data, zeros (.bss …)|sections,
//   relocations|
//                                     |            |    |         v       v                    ends here
//   image                             |text, rodata|data|percpu|init, data, zeros|
//                                     base                                       base + size
#pragma once

#include <cstdint>
#include <span>

#include "boot/elf_file.h"
#include "boot/zero_bytes.h"
#include "vmm/memory/guest_memory.h"

namespace carrel::boot {

// Copies from `file` (all of it, checked by parse_elf) into fresh memory that begins at `image`, image_size()
// bytes.
void place_from_bytes(const ElfFile& elf, std::span<const std::byte> file, std::span<std::byte> image);

// `room` begins with the payload, `size` bytes; the rest is zero and there for the image, which is afterwards
// at the file offset of the first segment. False: the segments are in another order in the file than in
// memory, and nothing was moved.
struct UnpackedPayload {
    std::span<std::byte> room;
    uint64_t size = 0;
    std::span<const ByteRange> skipped = {};  // zeros of it that the codec left out
};
bool place_unpacked(const ElfFile& elf, const UnpackedPayload& payload);

}  // namespace carrel::boot
