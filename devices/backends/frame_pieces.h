// Frames in pieces, as NetBackend has them: sizes, and copies of them.
#pragma once

#include <sys/types.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <span>

namespace carrel {

// An Ethernet header (IEEE 802.3); with 65,535 bytes of IP behind it and two VLAN tags in it.
inline constexpr uint32_t kShortestFrame = 14;
inline constexpr uint32_t kLongestFrame = 65535 + 14 + 8;

size_t bytes_in(std::span<const iovec> pieces);  // all of them
// The first bytes of `pieces`, which hold as many.
void gather(std::span<std::byte> into, std::span<const iovec> pieces);
// `frame` behind a header of zeros: nothing is left for the guest to finish. Bytes, with the header.
ssize_t scatter(std::span<const iovec> pieces, std::span<const std::byte> frame);

}  // namespace carrel
