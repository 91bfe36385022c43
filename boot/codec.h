// Codec: one way in which the kernel's payload can be packed.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "boot/zero_bytes.h"

namespace carrel::boot {

// What unpacking a stream came to.
struct Unpacked {
    enum class Outcome {
        kDone,
        kDamaged,     // or longer than its target
        kOverLimits,  // perhaps whole, but it needs more memory than there is for it, or the library lacks a
                      // filter
    };
    Outcome outcome = Outcome::kDamaged;
    uint64_t size = 0;                    // bytes that it gave
    std::vector<ByteRange> skipped = {};  // zeros among them that weren't written; sorted, disjoint

    bool done() const { return outcome == Outcome::kDone; }
};

// Stateless; any thread. The packed bytes are hostile and may even change while they are read.
class Codec {
  public:
    virtual ~Codec() = default;
    virtual std::string_view name() const = 0;
    virtual bool recognises(std::span<const std::byte> packed) const = 0;
    // Whether the payload's last four bytes, its unpacked size, are the kernel build's and no part of the
    // stream (Linux scripts/Makefile.lib, size_append).
    virtual bool size_is_appended() const { return true; }
    // Unpacks into `to`, which is all zeros (so that a codec may leave zeros out), and says how many bytes
    // that gave; never writes outside it, never touches memory in proportion to what the stream claims.
    // `whole`: all of the stream, which must fit. Otherwise its first to.size() bytes.
    enum class Extent { kWhole, kPrefix };
    virtual Unpacked unpack(std::span<const std::byte> packed, std::span<std::byte> to,
                            Extent extent) const = 0;
};

// The one whose magic `packed` begins with; null: none that was built in.
const Codec* find_codec(std::span<const std::byte> packed);

}  // namespace carrel::boot
