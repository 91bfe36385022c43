// LZ4's legacy frame (lz4_Frame_format.md, "Legacy frame"): | magic | size | block | size | block | …, each
// block unpacks by itself to 8 MiB, the last one to less.
#include <lz4.h>

#include <algorithm>
#include <optional>

#include "boot/codecs.h"
#include "vmm/model/gpa.h"

namespace carrel::boot {
namespace {

constexpr std::array<unsigned char, 4> kMagic = {0x02, 0x21, 0x4c, 0x18};
constexpr uint64_t kBlock = 8 * kMiB;

// The next block is taken off `rest`; nothing where its size is a lie.
std::optional<std::span<const std::byte>> take_block(std::span<const std::byte>& rest) {
    uint32_t size = 0;
    if (rest.size() < sizeof size) return std::nullopt;
    std::memcpy(&size, rest.data(), sizeof size);
    rest = rest.subspan(sizeof size);
    if (size == 0 || size > rest.size() || size > static_cast<uint32_t>(LZ4_COMPRESSBOUND(kBlock)))
        return std::nullopt;
    const auto block = rest.first(size);
    rest = rest.subspan(size);
    return block;
}

// A length of 15 goes on in further bytes, up to and with the first one below 255 (lz4_Block_format.md).
uint64_t take_length(std::span<const std::byte>& rest, uint64_t nibble) {
    uint64_t length = nibble;
    bool more = nibble == 15;
    while (more && !rest.empty()) {
        const auto byte = static_cast<uint8_t>(rest[0]);
        length += byte;
        more = byte == 255;
        rest = rest.subspan(1);
    }
    return length;
}

// How many zeros a block stands for: those whose literals are all zero, because matches only repeat. Kernels
// have 8 MiB and more of them (.bss, .brk, .init.scratch). Nothing for any other block; the first literal
// tells, usually.
std::optional<uint64_t> count_zeros(std::span<const std::byte> block) {
    constexpr size_t kOffsetSize = 2;
    constexpr uint64_t kLeastMatch = 4;
    uint64_t count = 0;
    while (!block.empty()) {
        const auto token = static_cast<uint8_t>(block[0]);
        block = block.subspan(1);
        const uint64_t literals = take_length(block, token >> 4);
        if (literals > block.size() || !is_zero(block.first(literals))) return std::nullopt;
        block = block.subspan(literals);
        count += literals;
        if (block.empty()) return count;
        if (count == 0 || block.size() < kOffsetSize) return std::nullopt;
        block = block.subspan(kOffsetSize);
        count += take_length(block, token & 15) + kLeastMatch;
    }
    return std::nullopt;
}

// The target has these zeros already. Told are those of 2 MiB and more: fewer share a huge page of the host
// with bytes that are written, and a file of tiny blocks mustn't make a long list.
void skip(Unpacked& result, uint64_t zeros) {
    const uint64_t begin = result.size;
    result.size += zeros;
    if (zeros < kHugePageSize) return;
    const bool adjacent = !result.skipped.empty() && result.skipped.back().end == begin;
    if (!adjacent) result.skipped.push_back({begin, begin});
    result.skipped.back().end = result.size;
}

int unpack_block(std::span<const std::byte> block, std::span<std::byte> to, Codec::Extent extent) {
    const auto* const from = reinterpret_cast<const char*>(block.data());
    auto* const target = reinterpret_cast<char*>(to.data());
    const auto size = static_cast<int>(block.size());
    const auto room = static_cast<int>(std::min<uint64_t>(to.size(), kBlock));
    if (extent == Codec::Extent::kWhole) return LZ4_decompress_safe(from, target, size, room);
    return LZ4_decompress_safe_partial(from, target, size, room, room);
}

class Lz4 final : public Codec {
  public:
    std::string_view name() const override { return "lz4"; }
    bool recognises(std::span<const std::byte> packed) const override { return begins_with(packed, kMagic); }
    Unpacked unpack(std::span<const std::byte> packed, std::span<std::byte> to,
                    Extent extent) const override {
        auto rest = packed.subspan(kMagic.size());
        Unpacked result = unpacked(0);
        while (!rest.empty() && (extent == Extent::kWhole || result.size < to.size())) {
            const auto block = take_block(rest);
            if (!block) return damaged();
            const auto zeros = count_zeros(*block);
            if (zeros && *zeros <= to.size() - result.size) {
                skip(result, *zeros);
                continue;
            }
            const int got = unpack_block(*block, to.subspan(result.size), extent);
            if (got <= 0) return damaged();
            result.size += static_cast<uint64_t>(got);
        }
        return result;
    }
};

}  // namespace

const Codec& lz4_codec() {
    static const Lz4 kCodec;
    return kCodec;
}

}  // namespace carrel::boot
