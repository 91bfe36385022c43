#include "boot/initrd.h"

#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>

#include "boot/boot_layout_x86.h"
#include "boot/kernel_image.h"

namespace carrel::boot {

Result<std::optional<Initrd>> place_initrd(const InputFile* file, Gpa limit, RangeAllocator& ranges) {
    if (file == nullptr) return std::optional<Initrd>{};
    TRY_ASSIGN(const FileIdentity identity, identify_input(*file, "an initrd"));
    const auto base = ranges.highest(
        {identity.size, kPageSize, layout::kLowReservedEnd, std::min(limit, address_map::kHoleStart)});
    if (!base) {
        return usage_error(fmt::format("the initrd {} ({} KiB) doesn't fit into guest memory below {:#x}",
                                       file->name, identity.size / kKiB, raw(limit)),
                           "give more --memory or a smaller initrd");
    }
    TRY(ranges.claim(*base, identity.size, "the initrd"));
    return std::optional(Initrd{*base, identity.size});
}

Result<void> read_initrd(const InputFile& file, const Initrd& initrd, GuestMemory& memory) {
    auto window = memory.window(initrd.base, initrd.size);
    CHECK(window.has_value());
    uint64_t done = 0;
    while (done < initrd.size) {
        const ssize_t got = ::pread(file.fd.get(), window->bytes().data() + done, initrd.size - done,
                                    static_cast<off_t>(done));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return os_error(errno, fmt::format("cannot read {} at offset {:#x}", file.name, done));
        if (got == 0) {
            return host_error(fmt::format("{} shrank while it was read: it ends at {:#x} instead of {:#x}",
                                          file.name, done, initrd.size),
                              "start again when nobody writes to it");
        }
        done += static_cast<uint64_t>(got);
    }
    window->complete(initrd.size);
    return {};
}

}  // namespace carrel::boot
