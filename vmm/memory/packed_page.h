// A page's content as it lies in a swap file: shorter, where it lets itself be packed. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "vmm/model/gpa.h"

namespace carrel {

using PageBytes = std::array<std::byte, kPageSize>;

bool is_zeros(std::span<const std::byte, kPageSize> page);
// LZ4's block format, or as it is where that saves less than an eighth. Returns its length, at most a page's,
// which tells which of both it is.
size_t pack_page(std::span<const std::byte, kPageSize> page, PageBytes& packed);
// Any bytes of any length. False: they aren't what pack_page() makes.
bool unpack_page(std::span<const std::byte> packed, PageBytes& page);

}  // namespace carrel
