// Zstandard (RFC 8878). Kernels are packed with "zstd -22 --ultra", which means windows of up to 128 MiB: the
// whole is unpacked in one call, which takes its history from the target and needs no window of its own.
#include <zstd.h>

#include <memory>

#include "boot/codecs.h"

namespace carrel::boot {
namespace {

constexpr std::array<unsigned char, 4> kMagic = {0x28, 0xb5, 0x2f, 0xfd};

struct FreeStream {
    void operator()(ZSTD_DStream* stream) const { ZSTD_freeDStream(stream); }
};

// Streaming reserves address space for the window (libzstd refuses more than 128 MiB) but touches only what
// it fills.
std::optional<uint64_t> unpack_prefix(std::span<const std::byte> packed, std::span<std::byte> to) {
    const std::unique_ptr<ZSTD_DStream, FreeStream> stream(ZSTD_createDStream());
    if (!stream) return std::nullopt;
    ZSTD_inBuffer in{packed.data(), packed.size(), 0};
    ZSTD_outBuffer out{to.data(), to.size(), 0};
    while (out.pos < out.size) {
        const size_t left = ZSTD_decompressStream(stream.get(), &out, &in);
        if (ZSTD_isError(left) != 0) return std::nullopt;
        if (left == 0 || in.pos == in.size) break;
    }
    return out.pos;
}

class Zstd final : public Codec {
  public:
    std::string_view name() const override { return "zstd"; }
    bool recognises(std::span<const std::byte> packed) const override { return begins_with(packed, kMagic); }
    std::optional<uint64_t> unpack(std::span<const std::byte> packed, std::span<std::byte> to,
                                   Extent extent) const override {
        if (extent == Extent::kPrefix) return unpack_prefix(packed, to);
        const size_t size = ZSTD_decompress(to.data(), to.size(), packed.data(), packed.size());
        if (ZSTD_isError(size) != 0) return std::nullopt;
        return size;
    }
};

}  // namespace

const Codec& zstd_codec() {
    static const Zstd kCodec;
    return kCodec;
}

}  // namespace carrel::boot
