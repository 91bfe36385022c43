#include "boot/kernel_place.h"

#include <elf.h>
#include <fmt/core.h>

#include "boot/boot_layout_x86.h"

namespace carrel::boot {
namespace {

constexpr uint64_t kTop = raw(address_map::kHoleStart);  // kernels are loaded below it
constexpr const char* kLinkLower =
    "link it for lower physical addresses, or take another kernel: more --memory doesn't help";

uint64_t mebibytes(uint64_t bytes) {
    return (bytes + kMiB - 1) / kMiB;
}

std::string enough_memory(uint64_t least) {
    constexpr uint64_t kToRunIn = 16;  // MiB beside what is loaded
    return fmt::format("give at least --memory {}M", mebibytes(least) + kToRunIn);
}

// Compared so that nothing wraps: both numbers may come from a file.
bool is_below_hole(const ImageNeeds& needs) {
    return raw(needs.preferred) <= kTop && needs.after <= kTop - raw(needs.preferred);
}

PlaceRequest room_for(const ImageNeeds& needs) {
    const uint64_t before = (needs.before + needs.alignment - 1) & ~(needs.alignment - 1);
    const uint64_t least = raw(layout::kLeastKernelAddress);
    const uint64_t from = least > before ? least - before : 0;
    return {before + needs.after, needs.alignment, Gpa{from}, address_map::kHoleStart};
}

// The image fits nowhere, even into all the low RAM that a machine can have.
Error too_large(const ImageNeeds& needs) {
    return bad_file(needs.size,
                    fmt::format("needs {} MiB of memory in one piece at a multiple of {:#x} ({}), and carrel "
                                "loads kernels between 16 MiB and 3 GiB",
                                mebibytes(needs.before + needs.after), needs.alignment, needs.size.name),
                    "take another kernel: more --memory doesn't help");
}

// It would fit at `place` in a machine with more memory, if the initrd leaves room.
Error no_room(const LoadContext& context, const ImageNeeds& needs, const PlaceRequest& room, Gpa place) {
    const uint64_t least = raw(place) + room.size + (context.initrd ? context.initrd->size : 0);
    return usage_error(
        fmt::format("{} needs {} MiB of guest memory in one piece from {} MiB on, and there are {} MiB in "
                    "all",
                    context.image.name(), mebibytes(needs.before + needs.after),
                    (raw(place) + room.size - needs.after) / kMiB, context.memory.map().total() / kMiB),
        least <= kTop ? enough_memory(least) : "give a smaller initrd: both must lie below 3 GiB");
}

Result<Gpa> place_movable(LoadContext& context, const ImageNeeds& needs, const InitrdLimit& initrd_limit,
                          bool random) {
    const PlaceRequest room = room_for(needs);
    const auto possible = context.ranges.in_most_low_ram().lowest(room);
    if (!possible) return too_large(needs);
    TRY_ASSIGN(context.initrd, place_initrd(context.request.initrd, initrd_limit, context.ranges));
    const uint64_t before = room.size - needs.after;
    const uint64_t slots = context.ranges.slots(room);
    if (random && slots != 0) return context.ranges.slot(room, context.random_physical() % slots) + before;
    const bool preferred_fits =
        is_below_hole(needs) && raw(needs.preferred) >= needs.before &&
        context.ranges.check_free(Gpa{raw(needs.preferred) - needs.before}, needs.before + needs.after, "")
            .ok();
    if (preferred_fits) return needs.preferred;
    if (slots != 0) return context.ranges.slot(room, 0) + before;
    return no_room(context, needs, room, *possible);
}

// Before check_free(), whose advice can't know what the file says: an image that can't move is helped by more
// memory only where memory could ever be.
Result<void> check_fixed(const LoadContext& context, const ImageNeeds& needs) {
    const uint64_t base = raw(needs.preferred);
    if (base >= kTop) {
        return bad_file(needs.address,
                        fmt::format("is linked at {:#x} ({}), above the 3 GiB where carrel loads kernels",
                                    base, needs.address.name),
                        kLinkLower);
    }
    if (!is_below_hole(needs)) {
        return bad_file(
            needs.size,
            fmt::format("takes {:#x} bytes of memory ({}) from {:#x} on, and carrel loads kernels "
                        "below 3 GiB",
                        needs.after, needs.size.name, base),
            kLinkLower);
    }
    const uint64_t ram = context.memory.map().low().size;
    if (base + needs.after > ram) {
        return usage_error(
            fmt::format("the kernel {} needs {:#x} bytes at {:#x}, and guest memory ends at {:#x}",
                        context.image.name(), needs.after, base, ram),
            enough_memory(base + needs.after));
    }
    const uint64_t before = std::min(needs.before, base);
    const auto free = context.ranges.check_free(Gpa{base - before}, before + needs.after, "the image");
    if (free.ok()) return {};
    return bad_file(needs.address, free.error().what,
                    fmt::format("it can't be loaded there: link it for other physical addresses ({})",
                                needs.address.name));
}

}  // namespace

ImageNeeds needs_of_elf(const ElfFile& elf, const std::string& file) {
    ImageNeeds needs;
    needs.preferred = Gpa{elf.lowest()};
    needs.image_size = needs.after = elf.image_size();
    needs.address = {file, "p_paddr", elf.segments.front().header_at + offsetof(Elf64_Phdr, p_paddr)};
    needs.size = {file, "p_memsz", elf.segments.back().header_at + offsetof(Elf64_Phdr, p_memsz)};
    return needs;
}

Result<Gpa> place_kernel(LoadContext& context, const ImageNeeds& needs, const InitrdLimit& initrd_limit,
                         bool random) {
    const std::string what = "the kernel " + context.image.name();
    if (needs.movable) {
        TRY_ASSIGN(const Gpa base, place_movable(context, needs, initrd_limit, random));
        TRY(context.ranges.claim(base, needs.image_size, what));
        return base;
    }
    TRY(check_fixed(context, needs));
    TRY(context.ranges.claim(needs.preferred, needs.image_size, what));
    TRY_ASSIGN(context.initrd, place_initrd(context.request.initrd, initrd_limit, context.ranges));
    return needs.preferred;
}

}  // namespace carrel::boot
