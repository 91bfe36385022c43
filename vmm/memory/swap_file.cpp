#include "vmm/memory/swap_file.h"

#include <linux/magic.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <zlib.h>

#include <cerrno>

#include "vmm/base/check.h"

namespace carrel {
namespace {

off_t offset_of(const SwapPlace& place) {
    return static_cast<off_t>(SwapFile::kStart + uint64_t{place.unit} * kSwapUnit);
}

Error damaged() {
    return host_error("its swap file isn't what was written into it",
                      "nobody else may write to it; its pages there are lost, start the guest anew");
}

bool take(const SwapPlace& place, std::span<const std::byte> packed, PageBytes& page) {
    return SwapFile::sum_of(packed) == place.sum && unpack_page(packed, page);
}

// Its files know no RWF_NOWAIT, and need none.
bool is_in_memory(int fd) {
    struct statfs status {};
    return ::fstatfs(fd, &status) == 0 && status.f_type == TMPFS_MAGIC;
}

}  // namespace

SwapFile::SwapFile(Fd fd, uint64_t size)
    : fd_(std::move(fd)), size_(size), at_once_(is_in_memory(fd_.get()) ? 0 : RWF_NOWAIT) {}

uint32_t SwapFile::sum_of(std::span<const std::byte> packed) {
    return static_cast<uint32_t>(
        ::crc32(0, reinterpret_cast<const Bytef*>(packed.data()), static_cast<uInt>(packed.size())));
}

Result<void> SwapFile::write(const SwapPlace& place, std::span<const std::byte> packed) const {
    CHECK(packed.size() == place.length);
    size_t done = 0;
    while (done < packed.size()) {
        const ssize_t wrote = ::pwrite(fd_.get(), packed.data() + done, packed.size() - done,
                                       offset_of(place) + static_cast<off_t>(done));
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote <= 0)
            return os_error(wrote < 0 ? errno : EIO, "its swap file can't be written",
                            "give its file system room, or raise --memory-quota");
        done += static_cast<size_t>(wrote);
    }
    return {};
}

Result<void> SwapFile::read(const SwapPlace& place, PageBytes& page) const {
    PageBytes packed;
    size_t done = 0;
    while (done < place.length) {
        const ssize_t got = ::pread(fd_.get(), packed.data() + done, place.length - done,
                                    offset_of(place) + static_cast<off_t>(done));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return os_error(errno, "its swap file can't be read");
        if (got == 0) return damaged();  // cut off
        done += static_cast<size_t>(got);
    }
    if (!take(place, std::span(packed).first(place.length), page)) return damaged();
    return {};
}

// From the page cache, or not at all.
bool SwapFile::read_at_once(const SwapPlace& place, PageBytes& page) const {
    PageBytes packed;
    const iovec part{packed.data(), place.length};
    const ssize_t got = ::preadv2(fd_.get(), &part, 1, offset_of(place), at_once_);
    return got == place.length && take(place, std::span(packed).first(place.length), page);
}

}  // namespace carrel
