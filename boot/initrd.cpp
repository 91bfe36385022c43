#include "boot/initrd.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "boot/boot_layout_x86.h"

namespace carrel::boot {
namespace {

// Of one read(2), which no signal ends: --timeout and Ctrl-C wait for it.
constexpr uint64_t kPiece = 32 * kMiB;

// Says whether more memory would help.
Error no_room(const std::string& name, const PlaceRequest& wish, const InitrdLimit& limit,
              const RangeAllocator& ranges) {
    const std::string what = fmt::format("the initrd {} ({} KiB) doesn't fit into guest memory", name,
                                         (wish.size + kKiB - 1) / kKiB);
    if (ranges.in_most_low_ram().highest(wish)) {
        return usage_error(fmt::format("{} below {:#x}", what, raw(wish.to)),
                           "give more --memory or a smaller initrd");
    }
    const std::string why =
        limit.end > wish.to ? "where carrel's room for it ends" : "where this kernel takes it: " + limit.from;
    return usage_error(fmt::format("{} below {:#x} ({})", what, raw(wish.to), why),
                       "give a smaller initrd: more --memory doesn't help");
}

}  // namespace

Result<std::optional<Initrd>> place_initrd(const InputFile* file, const InitrdLimit& limit,
                                           RangeAllocator& ranges) {
    if (file == nullptr) return std::optional<Initrd>{};
    TRY_ASSIGN(const FileState state, examine_input(*file, "an initrd"));
    const uint64_t size = state.identity.size;
    const PlaceRequest wish{size, kPageSize, layout::kLowReservedEnd,
                            std::min(limit.end, address_map::kHoleStart)};
    const auto base = ranges.highest(wish);
    if (!base) return no_room(file->name, wish, limit, ranges);
    TRY(ranges.claim(*base, size, "the initrd"));
    return std::optional(Initrd{*base, size, state});
}

Result<void> read_initrd(const InputFile& file, const Initrd& initrd, GuestMemory& memory) {
    auto window = memory.window(initrd.base, initrd.size);
    if (!window) return memory.short_error();  // claimed before, so it is RAM
    uint64_t done = 0;
    while (done < initrd.size) {
        const size_t piece = std::min<uint64_t>(initrd.size - done, kPiece);
        const ssize_t got =
            ::pread(file.fd.get(), window->bytes().data() + done, piece, static_cast<off_t>(done));
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
    return check_unchanged(file.fd.get(), file.name, initrd.file);
}

}  // namespace carrel::boot
