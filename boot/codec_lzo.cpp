// lzop's file format (its manual has no specification: Linux lib/decompress_unlzo.c and lzop's lzop.c are the
// reference): big-endian | magic | header | checksum | block | … | 0, each block | unpacked size | packed
// size | checksums | bytes |, at most 256 KiB unpacked, stored as it is where both sizes are equal. Built
// only where liblzo2 is.
#include <lzo/lzo1x.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "boot/codecs.h"
#include "vmm/model/gpa.h"

namespace carrel::boot {
namespace {

constexpr std::array<unsigned char, 9> kMagic = {0x89, 'L', 'Z', 'O', 0, 0x0d, 0x0a, 0x1a, 0x0a};
constexpr uint64_t kBlock = 256 * kKiB;
constexpr uint32_t kHasLevelFrom = 0x0940;  // lzop versions: they add fields to the header
constexpr uint32_t kFilterFlag = 0x800;
constexpr uint32_t kUnpackedChecksums[] = {0x1, 0x100};  // Adler-32, CRC-32
constexpr uint32_t kPackedChecksums[] = {0x2, 0x200};

// Reads straight through; a read past the end gives zero and stays failed.
class Reader {
  public:
    explicit Reader(std::span<const std::byte> bytes) : rest_(bytes) {}
    uint32_t number(size_t width) {
        uint32_t value = 0;
        for (const std::byte byte : take(width)) value = value << 8 | static_cast<uint8_t>(byte);
        return value;
    }
    std::span<const std::byte> take(size_t size) {
        if (size > rest_.size()) ok_ = false;
        if (!ok_) return {};
        const auto taken = rest_.first(size);
        rest_ = rest_.subspan(size);
        return taken;
    }
    bool ok() const { return ok_; }

  private:
    std::span<const std::byte> rest_;
    bool ok_ = true;
};

template <size_t kCount>
size_t checksum_bytes(uint32_t flags, const uint32_t (&kinds)[kCount]) {
    size_t size = 0;
    for (const uint32_t kind : kinds) size += (flags & kind) != 0 ? sizeof(uint32_t) : 0;
    return size;
}

// Past the header; its flags.
uint32_t skip_header(Reader& reader) {
    reader.take(kMagic.size());
    const uint32_t version = reader.number(2);
    const bool newer = version >= kHasLevelFrom;
    reader.take(newer ? 2 + 2 + 1 + 1 : 2 + 1);  // library, version needed, method, level
    const uint32_t flags = reader.number(4);
    if ((flags & kFilterFlag) != 0) reader.take(4);
    reader.take(newer ? 4 + 4 + 4 : 4 + 4);  // mode, time
    reader.take(reader.number(1));           // name
    reader.take(4);                          // checksum
    return flags;
}

struct Block {
    uint64_t size = 0;  // unpacked; 0: the end
    std::span<const std::byte> packed;
};

std::optional<Block> take_block(Reader& reader, uint32_t flags) {
    Block block;
    block.size = reader.number(4);
    if (!reader.ok() || block.size > kBlock) return std::nullopt;
    if (block.size == 0) return block;
    const uint32_t packed_size = reader.number(4);
    reader.take(checksum_bytes(flags, kUnpackedChecksums));
    if (packed_size < block.size) reader.take(checksum_bytes(flags, kPackedChecksums));
    block.packed = reader.take(packed_size);
    if (!reader.ok() || packed_size > block.size) return std::nullopt;
    return block;
}

bool unpack_block(const Block& block, std::span<std::byte> to) {
    if (block.packed.size() == block.size) {
        std::memcpy(to.data(), block.packed.data(), block.size);
        return true;
    }
    lzo_uint size = block.size;
    const int result = lzo1x_decompress_safe(reinterpret_cast<const unsigned char*>(block.packed.data()),
                                             block.packed.size(), reinterpret_cast<unsigned char*>(to.data()),
                                             &size, nullptr);
    return result == LZO_E_OK && size == block.size;
}

// A block whose end isn't wanted goes through a buffer.
bool unpack_start(const Block& block, std::span<std::byte> to) {
    const auto buffer = std::make_unique<std::array<std::byte, kBlock>>();
    if (!unpack_block(block, *buffer)) return false;
    std::memcpy(to.data(), buffer->data(), to.size());
    return true;
}

class Lzo final : public Codec {
  public:
    std::string_view name() const override { return "lzo"; }
    bool recognises(std::span<const std::byte> packed) const override { return begins_with(packed, kMagic); }
    Unpacked unpack(std::span<const std::byte> packed, std::span<std::byte> to,
                    Extent extent) const override {
        if (lzo_init() != LZO_E_OK) return over_limits();
        Reader reader(packed);
        const uint32_t flags = skip_header(reader);
        uint64_t done = 0;
        while (extent == Extent::kWhole || done < to.size()) {
            const auto block = take_block(reader, flags);
            if (!block) return damaged();
            if (block->size == 0) break;
            const bool fits = block->size <= to.size() - done;
            if (!fits && extent == Extent::kWhole) return damaged();
            const auto target = to.subspan(done);
            if (!(fits ? unpack_block(*block, target) : unpack_start(*block, target))) return damaged();
            done += std::min<uint64_t>(block->size, target.size());
        }
        return unpacked(done);
    }
};

}  // namespace

const Codec& lzo_codec() {
    static const Lzo kCodec;
    return kCodec;
}

}  // namespace carrel::boot
