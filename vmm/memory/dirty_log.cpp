#include "vmm/memory/dirty_log.h"

#include <sys/mman.h>

#include <algorithm>

#include "vmm/base/check.h"
#include "vmm/model/gpa.h"

namespace carrel {
namespace {

constexpr uint64_t kBits = 64;

// Bits `first` to `last` of a word.
constexpr uint64_t bits_between(uint64_t first, uint64_t last) {
    return ~uint64_t{0} << first & ~uint64_t{0} >> (kBits - 1 - last);
}

}  // namespace

Result<void> DirtyLog::start() {
    const uint64_t words = (pages_ + kBits - 1) / kBits;
    if (!room_.valid()) {
        TRY_ASSIGN(room_, Mapping::map(words * sizeof(Word), PROT_READ | PROT_WRITE,
                                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0,
                                       "the log of dirty pages"));
    }
    auto* const bits = reinterpret_cast<Word*>(room_.data());
    for (uint64_t i = 0; i < words; ++i) bits[i].store(0, std::memory_order_relaxed);
    bits_.store(bits, std::memory_order_release);
    return {};
}

// Always a locked operation, though the bit may be set already: it stands between the write and whoever takes
// the bit next, so that one of the two sees the other.
void DirtyLog::mark_pages(uint64_t offset, uint64_t length) {
    Word* const bits = bits_.load(std::memory_order_acquire);
    const uint64_t first = offset / kPageSize;
    const uint64_t last = (offset + length - 1) / kPageSize;
    CHECK(last < pages_);
    if (bits == nullptr) return;
    for (uint64_t page = first; page <= last; page = (page / kBits + 1) * kBits) {
        const uint64_t end = std::min(last, page / kBits * kBits + kBits - 1);
        bits[page / kBits].fetch_or(bits_between(page % kBits, end % kBits), std::memory_order_acq_rel);
    }
}

uint64_t DirtyLog::take(uint64_t word, uint64_t mask) {
    Word* const bits = bits_.load(std::memory_order_acquire);
    if (bits == nullptr) return 0;
    return bits[word].fetch_and(~mask, std::memory_order_acq_rel) & mask;
}

}  // namespace carrel
