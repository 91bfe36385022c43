// Frames in pieces, as NetBackend has them: sizes, and copies of them.
#pragma once

#include <sys/types.h>
#include <sys/uio.h>

#include <cstddef>
#include <span>

namespace carrel {

size_t bytes_in(std::span<const iovec> pieces);  // all of them
// The first bytes of `pieces`, which hold as many.
void gather(std::span<std::byte> into, std::span<const iovec> pieces);
// `frame` behind a header of zeros: nothing is left for the guest to finish. Bytes, with the header.
ssize_t scatter(std::span<const iovec> pieces, std::span<const std::byte> frame);

}  // namespace carrel
