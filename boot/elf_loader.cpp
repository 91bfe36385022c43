// ELF64 kernels: a plain vmlinux, and carrel's own guests.
//
// Which entry: e_entry of a Linux vmlinux and of our guests is the 64-bit entry's physical address. Other PVH
// kernels have a virtual address there, or the PVH entry itself: they are started by the note.
#include <fmt/core.h>

#include <vector>

#include "boot/bad_file.h"
#include "boot/elf_file.h"
#include "boot/image_placement.h"
#include "boot/kernel_place.h"
#include "boot/linux_entry_x86.h"
#include "boot/linux_image.h"
#include "boot/loaders.h"
#include "boot/pvh_x86.h"
#include "boot/relocations.h"

namespace carrel::boot {
namespace {

constexpr uint64_t kEntryAt = 24;  // offset of e_entry

struct ElfKernel {
    ElfFile elf;
    ElfNotes notes;
};

// The header that would say it is what an ELF file lacks.
InitrdLimit initrd_limit() {
    return {Gpa{2 * kGiB}, "Linux's own limit"};
}

Result<BootProtocol> choose_protocol(const ElfKernel& kernel, const LoadContext& context) {
    const bool pvh = kernel.notes.pvh_entry.has_value();
    const bool linux64 =
        kernel.elf.entry_is_physical() && !(pvh && kernel.elf.entry == kernel.notes.pvh_entry->address);
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

// What follows the ELF file, if that may be a relocation table. Copied, because the file may change while a
// table in it is checked and then used; not for an image that is larger than memory and won't be loaded.
std::vector<std::byte> copy_table(const LoadContext& context, const ElfFile& elf) {
    const auto file = context.image.bytes();
    if (elf.end >= file.size() || elf.image_size() > context.memory.map().low().size) return {};
    const auto tail = file.subspan(elf.end);
    if (tail.size() > elf.image_size() || !RelocationTable::is_likely(tail)) return {};
    return {tail.begin(), tail.end()};
}

// Only a kernel with a relocation table of its own is known to run elsewhere than where it is linked.
bool is_relocatable(const ElfFile& elf, std::span<const std::byte> tail) {
    const auto table = RelocationTable::parse(tail);
    return table && table->fits(elf.segments.front().vaddr, elf.image_size()) &&
           elf.lowest() % kLeastKernelAlignment == 0;
}

// CPUs without paging run in the first 4 GiB (Xen docs/misc/pvh.pandoc).
Result<uint32_t> check_pvh_entry(const LoadContext& context, const ElfKernel& kernel) {
    const ElfNotes::PvhEntry& entry = *kernel.notes.pvh_entry;
    if (entry.address > UINT32_MAX) {
        return bad_file(
            context.image.name(), entry.at,
            fmt::format("the PVH note's entry {:#x} lies above 4 GiB, where 32-bit code can't run",
                        entry.address));
    }
    if (!kernel.elf.contains(entry.address)) {
        return bad_file(context.image.name(), entry.at,
                        fmt::format("the PVH note's entry {:#x} lies outside the image's physical addresses",
                                    entry.address));
    }
    return static_cast<uint32_t>(entry.address);
}

Result<void> load_pvh(LoadContext& context, const ElfKernel& kernel) {
    TRY_ASSIGN(const uint32_t entry, check_pvh_entry(context, kernel));
    const ImageNeeds needs = needs_of_elf(kernel.elf, context.image.name());
    TRY_ASSIGN(const Gpa base, place_kernel(context, needs, initrd_limit(), false));
    context.result.image_base = base;
    context.result.image_size = needs.image_size;
    auto window = context.memory.window(base, needs.image_size);
    if (!window) return context.memory.short_error();  // claimed before, so it is RAM
    place_from_bytes(kernel.elf, context.image.bytes(), window->bytes());
    window->complete(needs.image_size);
    return enter_pvh(context, entry);
}

Result<void> load_by_64bit_entry(LoadContext& context, const ElfKernel& kernel) {
    const setup_header header = default_setup_header();
    const auto tail = copy_table(context, kernel.elf);
    return load_linux64(context,
                        {kernel.elf, context.image.name(), context.image.bytes(), tail, kLeastKernelAlignment,
                         is_relocatable(kernel.elf, tail), initrd_limit(), header});
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
        LoadContext context(image, request, memory);
        TRY_ASSIGN(const BootProtocol protocol, choose_protocol(kernel, context));
        const bool pvh = protocol == BootProtocol::kPvh;
        context.result.format = fmt::format("ELF64 by the {} entry", pvh ? "PVH" : "64-bit");
        if (!kernel.notes.linux_salt.empty()) context.result.format += ", Linux " + kernel.notes.linux_salt;
        TRY(pvh ? load_pvh(context, kernel) : load_by_64bit_entry(context, kernel));
        return std::move(context.result);
    }
};

}  // namespace

const BootLoader& elf_loader() {
    static const ElfLoader kLoader;
    return kLoader;
}

}  // namespace carrel::boot
