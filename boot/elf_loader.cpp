// ELF64 kernels: a plain vmlinux, and carrel's own guests.
//
// Which entry: e_entry of a Linux vmlinux and of our guests is the 64-bit entry's physical address. Other PVH
// kernels have a virtual address there, or the PVH entry itself: they are started by the note.
#include <fmt/core.h>

#include "boot/bad_file.h"
#include "boot/elf_file.h"
#include "boot/image_placement.h"
#include "boot/kaslr.h"
#include "boot/linux_entry_x86.h"
#include "boot/linux_image.h"
#include "boot/loaders.h"
#include "boot/pvh_x86.h"
#include "boot/relocations.h"

namespace carrel::boot {
namespace {

constexpr uint64_t kInitrdLimit = 2 * kGiB;  // initrd_addr_max of Linux, whose header an ELF file lacks
constexpr uint64_t kEntryAt = 24;            // offset of e_entry

struct ElfKernel {
    ElfFile elf;
    ElfNotes notes;
    std::span<const std::byte> table;  // what follows the ELF file
};

Result<BootProtocol> choose_protocol(const ElfKernel& kernel, const LoadContext& context) {
    const bool pvh = kernel.notes.pvh_entry.has_value();
    const bool linux64 =
        kernel.elf.entry_is_physical() && !(pvh && kernel.elf.entry == *kernel.notes.pvh_entry);
    BootProtocol protocol = context.request.protocol;
    if (protocol == BootProtocol::kAuto) protocol = linux64 ? BootProtocol::kLinux64 : BootProtocol::kPvh;
    if (protocol == BootProtocol::kPvh ? pvh : kernel.elf.entry_is_physical()) return protocol;
    return bad_file(
        context.image.name(), kEntryAt,
        fmt::format("the entry point {:#x} lies outside the image's physical addresses, and there is {} PVH "
                    "note",
                    kernel.elf.entry, pvh ? "a" : "no"),
        "take a kernel that is meant to be booted (for Linux: vmlinuz, or a vmlinux with CONFIG_PVH)");
}

// Only a kernel with a relocation table is known to run elsewhere than where it is linked.
bool is_relocatable(const ElfKernel& kernel) {
    return !kernel.table.empty() && RelocationTable::parse(kernel.table).has_value() &&
           kernel.elf.lowest() % kLeastKernelAlignment == 0;
}

Result<Gpa> place(LoadContext& context, const ElfKernel& kernel, bool movable) {
    ImageNeeds needs;
    needs.preferred = Gpa{kernel.elf.lowest()};
    needs.alignment = kLeastKernelAlignment;
    needs.image_size = needs.after = kernel.elf.image_size();
    needs.movable = movable;
    const bool random = no_kaslr_reason(context).empty() && fixed_physical_reason(context).empty();
    TRY_ASSIGN(const Gpa base, place_kernel(context, needs, Gpa{kInitrdLimit}, random));
    context.result.image_base = base;
    context.result.image_size = needs.image_size;
    return base;
}

Result<void> load_linux64(LoadContext& context, const ElfKernel& kernel) {
    TRY_ASSIGN(const Gpa base, place(context, kernel, is_relocatable(kernel)));
    auto window = context.memory.window(base, kernel.elf.image_size());
    CHECK(window.has_value());
    place_from_bytes(kernel.elf, context.image.bytes(), window->bytes());
    randomise_virtual_base(context, {kernel.elf, window->bytes(), kernel.table, kLeastKernelAlignment});
    window->complete(window->bytes().size());
    return enter_linux64(context, default_setup_header(),
                         raw(base) + (kernel.elf.entry - kernel.elf.lowest()),
                         no_kaslr_reason(context).empty());
}

Result<void> load_pvh(LoadContext& context, const ElfKernel& kernel) {
    TRY_ASSIGN(const Gpa base, place(context, kernel, false));
    auto window = context.memory.window(base, kernel.elf.image_size());
    CHECK(window.has_value());
    place_from_bytes(kernel.elf, context.image.bytes(), window->bytes());
    window->complete(window->bytes().size());
    return enter_pvh(context, *kernel.notes.pvh_entry);
}

class ElfLoader final : public BootLoader {
  public:
    bool recognises(const KernelImage& image) const override { return is_elf(image.bytes()); }

    Result<BootResult> load(const KernelImage& image, const BootRequest& request,
                            GuestMemory& memory) const override {
        const auto bytes = image.bytes();
        ElfKernel kernel;
        TRY_ASSIGN(kernel.elf, parse_elf(bytes, {image.name(), bytes.size()}));
        kernel.notes = read_notes(bytes, kernel.elf);
        if (kernel.elf.end < bytes.size()) kernel.table = bytes.subspan(kernel.elf.end);
        LoadContext context(image, request, memory);
        TRY_ASSIGN(const BootProtocol protocol, choose_protocol(kernel, context));
        const bool pvh = protocol == BootProtocol::kPvh;
        context.result.format = fmt::format("ELF64 by the {} entry", pvh ? "PVH" : "64-bit");
        if (!kernel.notes.linux_salt.empty()) context.result.format += ", Linux " + kernel.notes.linux_salt;
        TRY(pvh ? load_pvh(context, kernel) : load_linux64(context, kernel));
        return std::move(context.result);
    }
};

}  // namespace

const BootLoader& elf_loader() {
    static const ElfLoader kLoader;
    return kLoader;
}

}  // namespace carrel::boot
