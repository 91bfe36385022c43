// The codecs that are built in, one file each (codec_NAME.cpp).
#pragma once

#include <array>
#include <cstring>

#include "boot/codec.h"

namespace carrel::boot {

const Codec& lz4_codec();
const Codec& zstd_codec();
const Codec& xz_codec();
const Codec& gzip_codec();
const Codec& lzo_codec();  // only where CARREL_HAVE_LZO is 1

inline Unpacked unpacked(uint64_t size) {
    return {Unpacked::Outcome::kDone, size};
}
inline Unpacked damaged() {
    return {Unpacked::Outcome::kDamaged};
}
inline Unpacked over_limits() {
    return {Unpacked::Outcome::kOverLimits};
}

template <size_t kSize>
bool begins_with(std::span<const std::byte> bytes, const std::array<unsigned char, kSize>& magic) {
    return bytes.size() >= kSize && std::memcmp(bytes.data(), magic.data(), kSize) == 0;
}

}  // namespace carrel::boot
