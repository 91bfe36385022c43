#include "boot/kaslr.h"

#include <fmt/core.h>

#include "boot/boot_layout_x86.h"
#include "boot/cmdline.h"

namespace carrel::boot {
namespace {

// Linux arch/x86/include/asm/page_64_types.h: the window of virtual addresses for the kernel's image.
constexpr uint64_t kStartKernelMap = 0xffff'ffff'8000'0000;
constexpr uint64_t kKernelImageSize =
    kGiB;  // with CONFIG_RANDOMIZE_BASE, which a relocation table comes from

PlaceRequest room_for(const ImageNeeds& needs, Gpa least) {
    const uint64_t before = (needs.before + needs.alignment - 1) & ~(needs.alignment - 1);
    const uint64_t from = raw(least) > before ? raw(least) - before : 0;
    return {before + needs.after, needs.alignment, Gpa{from}, address_map::kHoleStart};
}

Error no_room(const LoadContext& context, const ImageNeeds& needs) {
    const uint64_t least = raw(needs.preferred) + needs.after + (context.initrd ? context.initrd->size : 0);
    return usage_error(
        fmt::format("{} needs {} MiB of guest memory in one piece from {} MiB on, and there are {} MiB in "
                    "all",
                    context.image.name(), (needs.before + needs.after + kMiB - 1) / kMiB,
                    raw(needs.preferred) / kMiB, context.memory.map().total() / kMiB),
        fmt::format("give at least --memory {}M", (least + kMiB - 1) / kMiB + 16));
}

Result<Gpa> choose_base(const LoadContext& context, const ImageNeeds& needs, bool random) {
    const PlaceRequest room = room_for(needs, layout::kLeastKernelAddress);
    const uint64_t before = room.size - needs.after;
    const uint64_t slots = context.ranges.slots(room);
    if (random && slots != 0) return context.ranges.slot(room, context.random_physical() % slots) + before;
    const bool preferred_fits =
        raw(needs.preferred) >= needs.before &&
        context.ranges.check_free(Gpa{raw(needs.preferred) - needs.before}, needs.before + needs.after, "")
            .ok();
    if (preferred_fits) return needs.preferred;
    if (slots != 0) return context.ranges.slot(room, 0) + before;
    return no_room(context, needs);
}

}  // namespace

std::string_view no_kaslr_reason(const LoadContext& context) {
    if (has_word(context.request.cmdline, "nokaslr")) return "nokaslr is on the command line";
    if (!context.has_entropy()) return "the host gave no random bytes";
    return {};
}

// These words take memory away from the kernel; its own decompressor looks at them too (kaslr.c, mem_avoid).
std::string_view fixed_physical_reason(const LoadContext& context) {
    for (const char* word : {"mem=", "memmap="}) {
        if (has_prefix(context.request.cmdline, word))
            return "the command line limits memory (mem=, memmap=)";
    }
    return {};
}

Result<Gpa> place_kernel(LoadContext& context, const ImageNeeds& needs, Gpa initrd_limit, bool random) {
    const std::string what = "the kernel " + context.image.name();
    Gpa base = needs.preferred;
    if (needs.movable) {
        TRY_ASSIGN(context.initrd, place_initrd(context.request.initrd, initrd_limit, context.ranges));
        TRY_ASSIGN(base, choose_base(context, needs, random));
        TRY(context.ranges.claim(base, needs.image_size, what));
        return base;
    }
    const uint64_t before = std::min(needs.before, raw(base));
    TRY(context.ranges.check_free(Gpa{raw(base) - before}, before + needs.after, what));
    TRY(context.ranges.claim(base, needs.image_size, what));
    TRY_ASSIGN(context.initrd, place_initrd(context.request.initrd, initrd_limit, context.ranges));
    return base;
}

uint64_t choose_virtual_delta(uint64_t link_address, uint64_t size, uint64_t alignment, uint64_t random) {
    const uint64_t offset = link_address - kStartKernelMap;
    if (offset >= kKernelImageSize || size > kKernelImageSize - offset) return 0;
    const uint64_t slots = (kKernelImageSize - offset - size) / alignment + 1;
    return random % slots * alignment;
}

}  // namespace carrel::boot
