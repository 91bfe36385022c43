// gzip (RFC 1952). Its own last four bytes are the unpacked size, so the kernel's build appends none.
#include <zlib.h>

#include "boot/codecs.h"

namespace carrel::boot {
namespace {

constexpr std::array<unsigned char, 3> kMagic = {0x1f, 0x8b, 8};
constexpr int kGzipOnly = 16 + MAX_WBITS;  // zlib.h, inflateInit2

class Gzip final : public Codec {
  public:
    std::string_view name() const override { return "gzip"; }
    bool size_is_appended() const override { return false; }
    bool recognises(std::span<const std::byte> packed) const override { return begins_with(packed, kMagic); }
    Unpacked unpack(std::span<const std::byte> packed, std::span<std::byte> to,
                    Extent extent) const override {
        if (packed.size() > UINT32_MAX || to.size() > UINT32_MAX) return over_limits();
        z_stream stream{};
        if (inflateInit2(&stream, kGzipOnly) != Z_OK) return over_limits();
        stream.next_in =
            reinterpret_cast<Bytef*>(const_cast<std::byte*>(packed.data()));  // zlib never writes there
        stream.avail_in = static_cast<uInt>(packed.size());
        stream.next_out = reinterpret_cast<Bytef*>(to.data());
        stream.avail_out = static_cast<uInt>(to.size());
        const int result = inflate(&stream, extent == Extent::kWhole ? Z_FINISH : Z_NO_FLUSH);
        const uint64_t done = to.size() - stream.avail_out;
        inflateEnd(&stream);
        const bool full = extent == Extent::kPrefix && result == Z_OK && done == to.size();
        if (result == Z_STREAM_END || full) return unpacked(done);
        return result == Z_MEM_ERROR ? over_limits() : damaged();
    }
};

}  // namespace

const Codec& gzip_codec() {
    static const Gzip kCodec;
    return kCodec;
}

}  // namespace carrel::boot
