#include "devices/backends/disk_geometry.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <memory>

namespace carrel {
namespace {

constexpr uint32_t kSector = 512, kLargestBlock = 4096;

uint32_t block_between(uint32_t bytes) {
    return std::clamp(bytes, kSector, kLargestBlock);
}

void ask_device(int fd, DiskGeometry& geometry) {
    int block = 0, offset = 0;
    unsigned physical = 0, least = 0, best = 0;
    if (::ioctl(fd, BLKSSZGET, &block) == 0)
        geometry.block_size = block_between(static_cast<uint32_t>(block));
    if (::ioctl(fd, BLKPBSZGET, &physical) == 0) geometry.physical_block = physical;
    if (::ioctl(fd, BLKALIGNOFF, &offset) == 0 && offset > 0)
        geometry.alignment_offset = static_cast<uint32_t>(offset);
    if (::ioctl(fd, BLKIOMIN, &least) == 0) geometry.least_io = least;
    if (::ioctl(fd, BLKIOOPT, &best) == 0) geometry.best_io = best;
    // The kernel answers for devices that can't: with zeros that it writes, and "not supported".
    geometry.punches = geometry.zeroes = true;
}

// Whether the file system has it is known only by trying, where nothing is: past the file's end.
bool takes(int fd, int mode, off_t end) {
    const off_t past = (end + kLargestBlock) / kLargestBlock * kLargestBlock;
    return ::fallocate(fd, mode | FALLOC_FL_KEEP_SIZE, past, kLargestBlock) == 0;
}

void ask_file(int fd, const struct stat& status, bool read_only, DiskGeometry& geometry) {
    geometry.physical_block = block_between(static_cast<uint32_t>(status.st_blksize));
    if (read_only) return;
    geometry.zeroes = takes(fd, FALLOC_FL_ZERO_RANGE, status.st_size);
    geometry.punches = takes(fd, FALLOC_FL_PUNCH_HOLE, status.st_size);  // and takes back what the other took
}

}  // namespace

Result<DiskGeometry> DiskGeometry::of(int fd, bool read_only) {
    struct stat status {};
    if (::fstat(fd, &status) != 0) return os_error(errno, "cannot ask about it");
    if (!S_ISREG(status.st_mode) && !S_ISBLK(status.st_mode))
        return usage_error("it is neither a file nor a block device", "name a raw disk image");
    DiskGeometry geometry;
    if (S_ISBLK(status.st_mode)) {
        ask_device(fd, geometry);
    } else {
        ask_file(fd, status, read_only, geometry);
    }
    geometry.bytes = bytes_now(fd);
    if (geometry.bytes == 0)
        return usage_error("it holds no whole sector of 512 bytes",
                           "make it larger first: truncate -s 1G FILE");
    return geometry;
}

uint64_t DiskGeometry::bytes_now(int fd) {
    struct statx status {};
    if (::statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_SIZE | STATX_TYPE, &status) != 0) return 0;
    uint64_t bytes = status.stx_size;
    if (S_ISBLK(status.stx_mode) && ::ioctl(fd, BLKGETSIZE64, &bytes) != 0) return 0;
    return bytes / kSector * kSector;
}

uint32_t direct_alignment(int fd) {
    // The kernel refuses what isn't aligned before it looks at the file; an answer of less is one, too.
    const std::unique_ptr<void, decltype(&std::free)> memory(
        std::aligned_alloc(kLargestBlock, 2 * size_t{kLargestBlock}), &std::free);
    auto* const bytes = static_cast<std::byte*>(memory.get());
    const bool small = bytes != nullptr && ::pread(fd, bytes + kSector, kSector, kSector) >= 0;
    return small ? kSector : kLargestBlock;
}

}  // namespace carrel
