#include "boot/zero_bytes.h"

#include <algorithm>

#include "vmm/model/gpa.h"

namespace carrel::boot {
namespace {

uint64_t last_step(uint64_t size) {
    return size % kPageSize != 0 ? size % kPageSize : kPageSize;
}

}  // namespace

uint64_t without_zero_tail(std::span<const std::byte> bytes, ByteRange range,
                           std::span<const ByteRange> known_zero) {
    uint64_t end = range.end;
    while (end > range.begin) {
        while (!known_zero.empty() && known_zero.back().begin >= end) {
            known_zero = known_zero.first(known_zero.size() - 1);
        }
        const ByteRange below = known_zero.empty() ? ByteRange{} : known_zero.back();
        if (below.end >= end) {
            end = std::max(below.begin, range.begin);
            continue;
        }
        const uint64_t least = std::max(range.begin, below.end);
        const uint64_t step = std::min(last_step(end - range.begin), end - least);
        if (!is_zero(bytes.subspan(end - step, step))) return end - range.begin;
        end -= step;
    }
    return 0;
}

}  // namespace carrel::boot
