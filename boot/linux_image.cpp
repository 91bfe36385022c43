#include "boot/linux_image.h"

#include "boot/image_placement.h"
#include "boot/kaslr.h"
#include "boot/kernel_place.h"
#include "boot/linux_entry_x86.h"
#include "boot/relocations.h"

namespace carrel::boot {
namespace {

void stay(LoadContext& context, const LinuxImage& image, std::string_view why) {
    const char* const what = image.movable
                                 ? "the kernel's virtual base is fixed (no KASLR): "
                                 : "the kernel stays at the addresses it is linked for (no KASLR): ";
    context.result.notes.push_back(what + std::string(why));
}

}  // namespace

void randomise_virtual_base(LoadContext& context, const LinuxImage& image) {
    const uint64_t link_address = image.elf.segments.front().vaddr;
    context.result.virtual_base = link_address;
    if (const auto why = no_kaslr_reason(context); !why.empty()) return stay(context, image, why);
    if (image.table.empty()) return stay(context, image, "no relocation table follows the ELF file");
    const auto table = RelocationTable::parse(image.table);
    if (!table) {
        return stay(context, image, "what follows the ELF file is no relocation table that carrel knows");
    }
    const LinkedImage linked{link_address, image.bytes};
    if (!table->fits(linked)) {
        return stay(context, image, "its relocation table names places outside the image");
    }
    const uint64_t delta =
        choose_virtual_delta(link_address, image.bytes.size(), image.alignment, context.random_virtual());
    table->apply(linked, delta);
    context.result.virtual_base = link_address + delta;
}

Result<void> load_linux64(LoadContext& context, const LinuxSource& source) {
    ImageNeeds needs = needs_of_elf(source.elf, source.name);
    needs.alignment = source.alignment;
    needs.movable = source.movable;
    const bool random = needs.movable && may_choose_physical_base(context);
    TRY_ASSIGN(const Gpa base, place_kernel(context, needs, source.initrd_limit, random));
    context.result.image_base = base;
    context.result.image_size = needs.image_size;
    auto window = context.memory.window(base, needs.image_size);
    if (!window) return context.memory.short_error();  // claimed before, so it is RAM
    place_from_bytes(source.elf, source.bytes, window->bytes());
    randomise_virtual_base(context,
                           {source.elf, window->bytes(), source.tail, source.alignment, source.movable});
    window->complete(needs.image_size);
    return enter_linux64(context, source.header, raw(base) + (source.elf.entry - source.elf.lowest()),
                         no_kaslr_reason(context).empty());
}

}  // namespace carrel::boot
