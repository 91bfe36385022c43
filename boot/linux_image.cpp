#include "boot/linux_image.h"

#include "boot/kaslr.h"
#include "boot/relocations.h"

namespace carrel::boot {
namespace {

void stay(LoadContext& context, std::string_view why) {
    context.result.notes.push_back("the kernel's virtual base is fixed (no KASLR): " + std::string(why));
}

}  // namespace

void randomise_virtual_base(LoadContext& context, const LinuxImage& image) {
    const uint64_t link_address = image.elf.segments.front().vaddr;
    context.result.virtual_base = link_address;
    if (const auto why = no_kaslr_reason(context); !why.empty()) return stay(context, why);
    if (image.table.empty()) return stay(context, "no relocation table follows the ELF file");
    const auto table = RelocationTable::parse(image.table);
    if (!table) return stay(context, "what follows the ELF file is no relocation table that carrel knows");
    const LinkedImage linked{link_address, image.bytes};
    if (!table->fits(linked)) return stay(context, "its relocation table names places outside the image");
    const uint64_t delta =
        choose_virtual_delta(link_address, image.bytes.size(), image.alignment, context.random_virtual());
    table->apply(linked, delta);
    context.result.virtual_base = link_address + delta;
}

}  // namespace carrel::boot
