// Address space layout randomisation of the kernel, done by us in place of its own decompressor
// (Linux arch/x86/boot/compressed/kaslr.c; "KASLR in the age of MicroVMs", EuroSys 2022).
//
// Three things vary independently: the physical base of the image, its virtual base (by the relocation
// table), and the bases of the kernel's own memory regions, which it chooses itself when it finds KASLR_FLAG.
#pragma once

#include <cstdint>
#include <string_view>

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
};

// Why the kernel's base must not be chosen at random; empty: it may be.
std::string_view no_kaslr_reason(const LoadContext& context);
// The same for the physical base alone.
std::string_view fixed_physical_reason(const LoadContext& context);

// Gives the image and then the initrd their places (an image that can't move goes first), at random where
// `random` says so; low RAM only, because our page tables reach 4 GiB. Claims `image_size` bytes from the
// base on: the room around it is free again when the kernel runs. `initrd_limit` is exclusive.
Result<Gpa> place_kernel(LoadContext& context, const ImageNeeds& needs, Gpa initrd_limit, bool random);
// How far the image moves up from `link_address`, a multiple of `alignment`.
uint64_t choose_virtual_delta(uint64_t link_address, uint64_t size, uint64_t alignment, uint64_t random);

}  // namespace carrel::boot
