// ELF64 kernels: a plain vmlinux, and carrel's own guests.
//
// Which entry: e_entry of a Linux vmlinux and of our guests is the 64-bit entry's physical address. Other PVH
// kernels have a virtual address there, or the PVH entry itself: they are started by the note.
#include <fmt/core.h>

#include <vector>

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

constexpr Gpa kInitrdLimit{2 * kGiB};  // initrd_addr_max of Linux, whose header an ELF file lacks
constexpr uint64_t kEntryAt = 24;      // offset of e_entry

struct ElfKernel {
    ElfFile elf;
    ElfNotes notes;
    std::vector<std::byte> tail;  // what follows the ELF file: perhaps a relocation table
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
    return RelocationTable::parse(kernel.tail).has_value() &&
           kernel.elf.lowest() % kLeastKernelAlignment == 0;
}

Result<void> load_pvh(LoadContext& context, const ElfKernel& kernel) {
    ImageNeeds needs;
    needs.preferred = Gpa{kernel.elf.lowest()};
    needs.image_size = needs.after = kernel.elf.image_size();
    TRY_ASSIGN(const Gpa base, place_kernel(context, needs, kInitrdLimit, false));
    context.result.image_base = base;
    context.result.image_size = needs.image_size;
    auto window = context.memory.window(base, needs.image_size);
    CHECK(window.has_value());
    place_from_bytes(kernel.elf, context.image.bytes(), window->bytes());
    window->complete(needs.image_size);
    return enter_pvh(context, *kernel.notes.pvh_entry);
}

Result<void> load_by_64bit_entry(LoadContext& context, const ElfKernel& kernel) {
    const setup_header header = default_setup_header();
    return load_linux64(context, {kernel.elf, context.image.bytes(), kernel.tail, kLeastKernelAlignment,
                                  is_relocatable(kernel), kInitrdLimit, header});
}

// Copied, because the file may change while a table in it is checked and then used. Longer than the image: no
// table.
std::vector<std::byte> copy_tail(const ElfFile& elf, std::span<const std::byte> file) {
    if (elf.end >= file.size() || file.size() - elf.end > elf.image_size()) return {};
    const auto tail = file.subspan(elf.end);
    return {tail.begin(), tail.end()};
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
        kernel.tail = copy_tail(kernel.elf, bytes);
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
