// LinuxImage: a Linux kernel whose segments are in place in guest memory; what is left is to relocate it.
#pragma once

#include <asm/bootparam.h>

#include <cstdint>
#include <span>
#include <string>

#include "boot/elf_file.h"
#include "boot/load_context.h"

namespace carrel::boot {

// Physical and virtual bases are multiples of this at least: Linux maps itself with 2 MiB pages.
inline constexpr uint64_t kLeastKernelAlignment = kHugePageSize;

struct LinuxImage {
    const ElfFile& elf;
    std::span<std::byte> bytes;        // of the image, in guest memory
    std::span<const std::byte> table;  // what follows the ELF file; perhaps a relocation table
    uint64_t alignment;                // of the virtual base
    bool movable;                      // physically
};

// How a kernel's ELF file is loaded whose bytes are all at hand: a vmlinux, or a payload that was unpacked
// before. They are copied once; `tail` is what follows the ELF file, and nobody else may change it meanwhile.
struct LinuxSource {
    const ElfFile& elf;
    std::string name;  // of the ELF file, for messages
    std::span<const std::byte> bytes;
    std::span<const std::byte> tail;
    uint64_t alignment;
    bool movable;
    InitrdLimit initrd_limit;
    const setup_header& header;
};
Result<void> load_linux64(LoadContext& context, const LinuxSource& source);

// Moves the kernel to a virtual base chosen at random, or notes in the result why it stays where it is
// linked.
void randomise_virtual_base(LoadContext& context, const LinuxImage& image);

}  // namespace carrel::boot
