#include <array>
#include <string_view>

#include "boot/bad_file.h"
#include "boot/kernel_image.h"
#include "boot/loader.h"
#include "boot/loaders.h"

namespace carrel::boot {
namespace {

bool has_at(std::span<const std::byte> bytes, size_t offset, std::string_view magic) {
    return bytes.size() >= offset + magic.size() &&
           std::string_view(reinterpret_cast<const char*>(bytes.data()) + offset, magic.size()) == magic;
}

// What people do name in place of a kernel.
struct Lookalike {
    size_t offset;
    std::string_view magic;
    const char* what;
    const char* advice;
};
constexpr std::array<Lookalike, 8> kLookalikes = {{
    {0x38, "ARM\x64", "is a kernel for aarch64",
     "carrel runs x86-64 kernels: take one that is built for amd64"},
    {0x38, "RSC\x05", "is a kernel for RISC-V",
     "carrel runs x86-64 kernels: take one that is built for amd64"},
    {0, "070701", "is a cpio archive, perhaps an initrd", "give it with --initrd and name a kernel"},
    {0, "\x1f\x8b", "is packed with gzip", "unpack it first: gzip -dc; an initrd is given with --initrd"},
    {0, "\x28\xb5\x2f\xfd", "is packed with zstd",
     "unpack it first: zstd -dc; an initrd is given with --initrd"},
    {0,
     "\xfd"
     "7zXZ",
     "is packed with xz", "unpack it first: xz -dc; an initrd is given with --initrd"},
    {0, "#!", "is a script", "name a bzImage (vmlinuz) or an ELF kernel (vmlinux)"},
    {0, "MZ", "is an EFI program without a Linux boot header",
     "name a bzImage (vmlinuz) or an ELF kernel (vmlinux)"},
}};

Error unknown_format(const KernelImage& kernel) {
    for (const Lookalike& it : kLookalikes) {
        if (has_at(kernel.bytes(), it.offset, it.magic))
            return bad_file(kernel.name(), it.offset, it.what, it.advice);
    }
    return bad_file(kernel.name(), 0, "is neither a bzImage (no HdrS at 0x202) nor an ELF file",
                    "name a bzImage (vmlinuz) or an ELF kernel (vmlinux)");
}

Result<BootResult> load_known(const KernelImage& kernel, const BootRequest& request, GuestMemory& memory) {
    if (!request.modules.empty()) {
        return usage_error(kernel.name() + " takes no boot modules",
                           "Linux and PVH kernels take an --initrd only");
    }
    for (const BootLoader* loader : {&bzimage_loader(), &elf_loader()}) {
        if (loader->recognises(kernel)) return loader->load(kernel, request, memory);
    }
    return unknown_format(kernel);
}

}  // namespace

Result<BootResult> load_kernel(const KernelImage& kernel, const BootRequest& request, GuestMemory& memory) {
    auto result = load_known(kernel, request, memory);
    TRY(kernel.check_whole());  // first: what was read of a file that lost bytes proves nothing
    return result;
}

Result<BootResult> load_kernel(const InputFile& kernel, const BootRequest& request, GuestMemory& memory) {
    TRY_ASSIGN(const KernelImage image, KernelImage::open(kernel));
    return load_kernel(image, request, memory);
}

}  // namespace carrel::boot
