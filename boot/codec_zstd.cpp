// Zstandard (RFC 8878). Kernels are packed with "zstd -22 --ultra", which means windows of up to 128 MiB: the
// whole is unpacked in one call, which takes its history from the target and needs no window of its own.
#include <zstd.h>
#include <zstd_errors.h>

#include <memory>

#include "boot/codecs.h"

namespace carrel::boot {
namespace {

constexpr std::array<unsigned char, 4> kMagic = {0x28, 0xb5, 0x2f, 0xfd};

struct FreeStream {
    void operator()(ZSTD_DStream* stream) const { ZSTD_freeDStream(stream); }
};

// A window larger than the host gives address space for, or than the library knows (2 GiB).
Unpacked failed(size_t result) {
    const ZSTD_ErrorCode code = ZSTD_getErrorCode(result);
    const bool large =
        code == ZSTD_error_memory_allocation || code == ZSTD_error_frameParameter_windowTooLarge;
    return large ? over_limits() : damaged();
}

// Streaming reserves address space for the window but touches only what it fills: all windows that there are
// may be used (libzstd by itself refuses more than 128 MiB).
Unpacked unpack_prefix(std::span<const std::byte> packed, std::span<std::byte> to) {
    constexpr int kLargestWindow = 31;  // log2; RFC 8878, 3.1.1.1.2, allows more than any library takes
    const std::unique_ptr<ZSTD_DStream, FreeStream> stream(ZSTD_createDStream());
    if (!stream) return over_limits();
    if (ZSTD_isError(ZSTD_DCtx_setParameter(stream.get(), ZSTD_d_windowLogMax, kLargestWindow)) != 0) {
        return over_limits();
    }
    ZSTD_inBuffer in{packed.data(), packed.size(), 0};
    ZSTD_outBuffer out{to.data(), to.size(), 0};
    while (out.pos < out.size) {
        const size_t left = ZSTD_decompressStream(stream.get(), &out, &in);
        if (ZSTD_isError(left) != 0) return failed(left);
        if (left == 0 || in.pos == in.size) break;
    }
    return unpacked(out.pos);
}

class Zstd final : public Codec {
  public:
    std::string_view name() const override { return "zstd"; }
    bool recognises(std::span<const std::byte> packed) const override { return begins_with(packed, kMagic); }
    Unpacked unpack(std::span<const std::byte> packed, std::span<std::byte> to,
                    Extent extent) const override {
        if (extent == Extent::kPrefix) return unpack_prefix(packed, to);
        const size_t size = ZSTD_decompress(to.data(), to.size(), packed.data(), packed.size());
        if (ZSTD_isError(size) != 0) return failed(size);
        return unpacked(size);
    }
};

}  // namespace

const Codec& zstd_codec() {
    static const Zstd kCodec;
    return kCodec;
}

}  // namespace carrel::boot
