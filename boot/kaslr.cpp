#include "boot/kaslr.h"

#include "boot/cmdline.h"

namespace carrel::boot {
namespace {

// Linux arch/x86/include/asm/page_64_types.h: the window of virtual addresses for the kernel's image.
constexpr uint64_t kStartKernelMap = 0xffff'ffff'8000'0000;
constexpr uint64_t kKernelImageSize =
    kGiB;  // with CONFIG_RANDOMIZE_BASE, which a relocation table comes from

// These words take memory away from the kernel; its own decompressor looks at them too (kaslr.c, mem_avoid).
bool limits_memory(const std::string& cmdline) {
    return has_prefix(cmdline, "mem=") || has_prefix(cmdline, "memmap=");
}

}  // namespace

std::string_view no_kaslr_reason(const LoadContext& context) {
    if (has_word(context.request.cmdline, "nokaslr")) return "nokaslr is on the command line";
    if (!context.has_entropy()) return "the host gave no random bytes";
    return {};
}

bool may_choose_physical_base(LoadContext& context) {
    if (!no_kaslr_reason(context).empty()) return false;
    if (!limits_memory(context.request.cmdline)) return true;
    context.result.notes.emplace_back(
        "the kernel's physical base is fixed (no KASLR): the command line limits memory (mem=, memmap=)");
    return false;
}

uint64_t choose_virtual_delta(uint64_t link_address, uint64_t size, uint64_t alignment, uint64_t random) {
    const uint64_t offset = link_address - kStartKernelMap;
    if (offset >= kKernelImageSize || size > kKernelImageSize - offset) return 0;
    const uint64_t slots = (kKernelImageSize - offset - size) / alignment + 1;
    return random % slots * alignment;
}

}  // namespace carrel::boot
