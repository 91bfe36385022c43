#include "boot/zero_bytes.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>

#include "vmm/model/gpa.h"

namespace carrel::boot {
namespace {

size_t last_step(size_t size, size_t step) {
    return size % step != 0 ? size % step : step;
}

// The zeros at the end of what may be populated.
size_t without_zero_pages(std::span<const std::byte> bytes) {
    size_t size = bytes.size();
    while (size != 0) {
        const size_t step = last_step(size, kPageSize);
        if (!is_zero(bytes.subspan(size - step, step))) return size;
        size -= step;
    }
    return 0;
}

}  // namespace

// mincore(2): for private memory, which pages are mapped.
bool is_untouched(std::span<const std::byte> memory) {
    std::array<unsigned char, kHugePageSize / kPageSize> present;
    auto at = reinterpret_cast<uintptr_t>(memory.data()) & ~(kPageSize - 1);
    const auto end = reinterpret_cast<uintptr_t>(memory.data()) + memory.size();
    while (at < end) {
        const uintptr_t length = std::min<uintptr_t>(end - at, kHugePageSize);
        if (::mincore(reinterpret_cast<void*>(at), length, present.data()) != 0) return false;
        const auto pages = static_cast<std::ptrdiff_t>((length + kPageSize - 1) / kPageSize);
        if (std::any_of(present.begin(), present.begin() + pages,
                        [](unsigned char p) { return (p & 1) != 0; })) {
            return false;
        }
        at += length;
    }
    return true;
}

size_t without_zero_tail(std::span<const std::byte> memory) {
    size_t size = memory.size();
    while (size != 0) {
        // Pieces that end at the host's huge pages: what shares one has been touched with it.
        const uintptr_t end = reinterpret_cast<uintptr_t>(memory.data()) + size;
        const size_t step = std::min(size, last_step(end, kHugePageSize));
        const auto piece = memory.subspan(size - step, step);
        if (!is_untouched(piece)) {
            if (const size_t left = without_zero_pages(piece); left != 0) return size - step + left;
        }
        size -= step;
    }
    return 0;
}

}  // namespace carrel::boot
