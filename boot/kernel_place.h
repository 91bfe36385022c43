// Where in guest memory a kernel's image and its initrd go, and what to do where they can't.
#pragma once

#include <cstdint>
#include <string>

#include "boot/bad_file.h"
#include "boot/elf_file.h"
#include "boot/load_context.h"

namespace carrel::boot {

// What an image wants of physical memory.
struct ImageNeeds {
    Gpa preferred{0};        // where it goes without KASLR
    uint64_t alignment = 0;  // a power of two
    uint64_t before = 0;  // bytes of room below and from the base on, while it is loaded or while it starts
    uint64_t after = 0;
    uint64_t image_size = 0;  // at most `after`
    bool movable = false;     // runs at any aligned address
    FileField address;        // which number in the file asks for `preferred`
    FileField size;           // and which for `after`
};
// Those of an ELF image that needs nothing around it and can't move; `file` is its name.
ImageNeeds needs_of_elf(const ElfFile& elf, const std::string& file);

// Gives the image and then the initrd their places (an image that can't move goes first), at random where
// `random` says so; low RAM only, because our page tables reach 4 GiB. Claims `image_size` bytes from the
// base on: the room around it is free again when the kernel runs.
Result<Gpa> place_kernel(LoadContext& context, const ImageNeeds& needs, const InitrdLimit& initrd_limit,
                         bool random);

}  // namespace carrel::boot
