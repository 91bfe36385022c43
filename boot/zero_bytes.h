// Whether bytes are all zero, as fast as memcmp, and without touching guest memory that nobody has touched.
#pragma once

#include <cstddef>
#include <cstring>
#include <span>

namespace carrel::boot {

// The first byte is zero and each equals the one behind it.
inline bool is_zero(std::span<const std::byte> bytes) {
    return bytes.empty() ||
           (bytes[0] == std::byte{0} && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

// For fresh guest memory, which reads as zero: true where no page of it is there yet. Reading instead would
// map the host's huge page of zeros, and each page that the guest writes there later would be a fault and a
// small page of its own.
bool is_untouched(std::span<const std::byte> memory);

// How much of `memory` (guest memory) is left when the zeros at its end are taken off; in steps of 4 KiB.
size_t without_zero_tail(std::span<const std::byte> memory);

}  // namespace carrel::boot
