// Whether bytes are all zero, as fast as memcmp, and without touching guest memory that nobody has touched.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace carrel::boot {

// Bytes [begin, end) of some whole that the context names.
struct ByteRange {
    uint64_t begin = 0, end = 0;
};

// The first byte is zero and each equals the one behind it.
inline bool is_zero(std::span<const std::byte> bytes) {
    return bytes.empty() ||
           (bytes[0] == std::byte{0} && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

// How much of `range` in `bytes` is left when the zeros at its end are taken off, in steps of at most 4 KiB.
// `known_zero` (of `bytes`; sorted, disjoint) is taken for zero without a look. Looking would map the host's
// huge page of zeros there, and each page that the guest writes later would be a fault and a small page of
// its own. Whoever filled the memory must say what it left out: what the host says of a page (mincore(2): not
// resident) is the same for one that was never written and one that was swapped out.
uint64_t without_zero_tail(std::span<const std::byte> bytes, ByteRange range,
                           std::span<const ByteRange> known_zero);

}  // namespace carrel::boot
