#include "boot/codec.h"

#include "boot/codecs.h"

namespace carrel::boot {

const Codec* find_codec(std::span<const std::byte> packed) {
    const Codec* const codecs[] = {
        &lz4_codec(),
        &zstd_codec(),
        &xz_codec(),
        &gzip_codec(),
#if CARREL_HAVE_LZO
        &lzo_codec(),
#endif
    };
    for (const Codec* codec : codecs) {
        if (codec->recognises(packed)) return codec;
    }
    return nullptr;
}

}  // namespace carrel::boot
