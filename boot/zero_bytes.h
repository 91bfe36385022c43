// Whether bytes are all zero, as fast as memcmp.
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

}  // namespace carrel::boot
