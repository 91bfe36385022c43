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

// Why the kernel's bases must not be chosen at random; empty: they may be.
std::string_view no_kaslr_reason(const LoadContext& context);
// Whether the physical base of an image that can move may be chosen at random. Notes in the result where only
// this base may not.
bool may_choose_physical_base(LoadContext& context);

// How far the image moves up from `link_address`, a multiple of `alignment`.
uint64_t choose_virtual_delta(uint64_t link_address, uint64_t size, uint64_t alignment, uint64_t random);

}  // namespace carrel::boot
