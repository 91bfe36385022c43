// Property: RAM is split at the PCI hole (0xc0000000 to 4 GiB): the pages at both sides of it and at both
// ends of every range keep what is written, none is another one's mirror, the hole reads all ones and
// swallows writes. Run it with more than 3 GiB for the upper part; the verdict says how many ranges it saw.
// Prints PASS or FAIL, powers off.
#include <initializer_list>

#include "lib/boot_info.h"
#include "lib/guest.h"
#include "lib/paging_x86.h"

using namespace guest;

namespace {

constexpr Text kName = "mem_hole";
constexpr std::uint64_t kPage = 4096;
constexpr std::uint64_t kHoleStart = 0xc0000000;
constexpr std::uint64_t kHoleEnd = 0x100000000;
constexpr std::uint64_t kPattern = 0x9e3779b97f4a7c15;
constexpr unsigned kMaxWords = 4 * BootInfo::kMaxRanges;

struct Word {
    std::uint64_t address, before;
};
constinit Word words[kMaxWords] = {};
constinit unsigned word_count = 0;

volatile std::uint64_t& at(std::uint64_t address) {
    return *reinterpret_cast<volatile std::uint64_t*>(window_at(address));
}

// First and last word of the first and last page.
void collect(const MemoryRange& range) {
    const std::uint64_t first = (range.base + kPage - 1) & ~(kPage - 1);
    const std::uint64_t end = range.end() & ~(kPage - 1);
    if (end <= first) return;
    // The first page of the range at 1 MiB is this guest's own code and stays untouched.
    const bool own = first == 0x100000;
    for (const std::uint64_t address : {first, first + kPage - 8, end - kPage, end - 8})
        if (!own || address >= end - kPage) words[word_count++] = {address, at(address)};
}

// All are written before any is read: a mirror would show.
void check_words() {
    for (unsigned i = 0; i < word_count; ++i) at(words[i].address) = words[i].address ^ kPattern;
    for (unsigned i = 0; i < word_count; ++i)
        if (const std::uint64_t got = at(words[i].address); got != (words[i].address ^ kPattern))
            fail(kName, Hex{words[i].address}, " reads ", Hex{got});
    for (unsigned i = 0; i < word_count; ++i) at(words[i].address) = words[i].before;
}

void check_outside_hole(const MemoryRange& range) {
    if (range.base < kHoleEnd && range.end() > kHoleStart)
        fail(kName, "RAM at ", Hex{range.base}, " - ", Hex{range.end() - 1}, " reaches into the hole");
}

void check_hole() {
    for (const std::uint64_t address : {kHoleStart, kHoleStart + 0x10000000, kHoleEnd - 0x1000008}) {
        at(address) = kPattern;
        if (const std::uint64_t got = at(address); got != ~std::uint64_t{0})
            fail(kName, "the hole at ", Hex{address}, " reads ", Hex{got});
    }
}

}  // namespace

extern "C" void guest_main() {
    const BootInfo& info = boot_info();
    std::uint64_t total = 0;
    for (unsigned i = 0; i < info.range_count; ++i) {
        check_outside_hole(info.ranges[i]);
        collect(info.ranges[i]);
        total += info.ranges[i].size;
    }
    check_words();
    check_hole();
    pass(kName, info.range_count, " ranges, ", total >> 20, " MiB");
}
