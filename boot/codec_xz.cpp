// The .xz format (xz-file-format.txt). Kernels use the x86 filter, LZMA2 with a 32 MiB dictionary, and CRC32.
#include <lzma.h>

#include "boot/codecs.h"
#include "vmm/model/gpa.h"

namespace carrel::boot {
namespace {

constexpr std::array<unsigned char, 6> kMagic = {0xfd, '7', 'z', 'X', 'Z', 0};
constexpr uint64_t kMemoryLimit =
    160 * kMiB;  // a dictionary of 128 MiB, four times what the kernel's build uses

// A dictionary larger than the limit, or a filter that this liblzma doesn't have: both stand in headers whose
// checksum was right.
bool is_over_limits(lzma_ret result) {
    return result == LZMA_MEMLIMIT_ERROR || result == LZMA_MEM_ERROR || result == LZMA_OPTIONS_ERROR;
}

class Xz final : public Codec {
  public:
    std::string_view name() const override { return "xz"; }
    bool recognises(std::span<const std::byte> packed) const override { return begins_with(packed, kMagic); }
    Unpacked unpack(std::span<const std::byte> packed, std::span<std::byte> to,
                    Extent extent) const override {
        lzma_stream stream = LZMA_STREAM_INIT;
        if (lzma_stream_decoder(&stream, kMemoryLimit, 0) != LZMA_OK) return over_limits();
        stream.next_in = reinterpret_cast<const uint8_t*>(packed.data());
        stream.avail_in = packed.size();
        stream.next_out = reinterpret_cast<uint8_t*>(to.data());
        stream.avail_out = to.size();
        const lzma_ret result = lzma_code(&stream, LZMA_FINISH);
        const uint64_t done = to.size() - stream.avail_out;
        lzma_end(&stream);
        const bool full = extent == Extent::kPrefix && result == LZMA_OK && done == to.size();
        if (result == LZMA_STREAM_END || full) return unpacked(done);
        return is_over_limits(result) ? over_limits() : damaged();
    }
};

}  // namespace

const Codec& xz_codec() {
    static const Xz kCodec;
    return kCodec;
}

}  // namespace carrel::boot
