#include "boot/codec.h"

#include <array>

#include "boot/codecs.h"

namespace carrel::boot {

const Codec* find_codec(std::span<const std::byte> packed) {
    for (const Codec* codec : {&lz4_codec(), &zstd_codec(), &xz_codec(), &gzip_codec()}) {
        if (codec->recognises(packed)) return codec;
    }
    return nullptr;
}

}  // namespace carrel::boot
