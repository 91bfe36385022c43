// The window: one entry of the last page directory (entry_x86.S, Intel SDM vol. 3, 4.5).
#include "lib/paging_x86.h"

#include "lib/layout_x86.h"

extern "C" volatile std::uint64_t window_directory[512];

namespace guest {

std::uint64_t window_at(std::uint64_t physical) {
    constexpr std::uint64_t kWindowBase = 511ull << 30;
    const std::uint64_t block = physical & ~(kWindowSize - 1);
    const std::uint64_t entry = block | PTE_PRESENT_WRITE | PTE_LARGE;
    if (window_directory[0] != entry) {
        window_directory[0] = entry;
        asm volatile("invlpg (%0)" : : "r"(kWindowBase) : "memory");
    }
    return kWindowBase + (physical - block);
}

}  // namespace guest
