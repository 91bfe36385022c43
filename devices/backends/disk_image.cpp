#include "devices/backends/disk_image.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <algorithm>
#include <cerrno>

namespace carrel {
namespace {

constexpr uint64_t kSector = 512;
constexpr uint32_t kLargestBlock = 4096;

int change_lock(int fd, int type) {
    struct flock range {};
    range.l_type = static_cast<short>(type);
    range.l_whence = SEEK_SET;
    return ::fcntl(fd, F_OFD_SETLK, &range);
}

Result<ImageLock> take_lock(const Fd& fd, const std::string& path, bool read_only, const char* key) {
    if (change_lock(fd.get(), read_only ? F_RDLCK : F_WRLCK) == 0) return ImageLock(fd.get());
    if (errno == EAGAIN || errno == EACCES) {
        return usage_error(fmt::format("{}: {} is in use by another guest or program", key, path),
                           read_only ? "somebody writes to it; stop them, or use a copy"
                                     : "stop the other one, or give both read-only (,ro)");
    }
    // A file system without locks: nobody else could have one either.
    if (errno == ENOLCK || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP) return ImageLock();
    return os_error(errno, fmt::format("{}: cannot lock {}", key, path));
}

Result<void> measure(DiskImage& image, const std::string& path, const char* key) {
    struct stat status {};
    if (::fstat(image.fd.get(), &status) != 0)
        return os_error(errno, fmt::format("{}: cannot ask about {}", key, path));
    uint64_t bytes = static_cast<uint64_t>(status.st_size);
    if (S_ISBLK(status.st_mode)) {
        int block = 0;
        if (::ioctl(image.fd.get(), BLKGETSIZE64, &bytes) != 0 ||
            ::ioctl(image.fd.get(), BLKSSZGET, &block) != 0)
            return os_error(errno, fmt::format("{}: cannot ask for the size of {}", key, path));
        image.block_size = std::clamp(static_cast<uint32_t>(block), uint32_t{kSector}, kLargestBlock);
    } else if (!S_ISREG(status.st_mode)) {
        return usage_error(fmt::format("{}: {} is neither a file nor a block device", key, path),
                           "name a raw disk image");
    }
    struct statfs system {};
    // The node of a block device lies on a tmpfs (/dev), but what it stands for doesn't.
    image.in_memory =
        S_ISREG(status.st_mode) && ::fstatfs(image.fd.get(), &system) == 0 && system.f_type == TMPFS_MAGIC;
    image.bytes = bytes / kSector * kSector;
    if (image.bytes == 0) {
        return usage_error(fmt::format("{}: {} holds no whole sector of 512 bytes", key, path),
                           "make it larger first: truncate -s 1G FILE");
    }
    return {};
}

}  // namespace

ImageLock::~ImageLock() {
    if (fd_ >= 0) change_lock(fd_, F_UNLCK);
}

Result<DiskImage> DiskImage::open(Opener& opener, const std::string& path, bool read_only, const char* key) {
    // O_NONBLOCK: a FIFO must be refused, not waited for.
    auto fd = opener.open(path, (read_only ? O_RDONLY : O_RDWR) | O_NONBLOCK);
    if (!fd.ok()) {
        return usage_error(fmt::format("{}: {}", key, fd.error().what),
                           read_only ? "name a file that exists and that you may read"
                                     : "name a file that exists and that you may write, or add ,ro");
    }
    DiskImage image;
    image.fd = std::move(*fd);
    image.read_only = read_only;
    TRY(measure(image, path, key));
    // From here on it would only keep io_uring from waiting for the disk: where a file system can't say "not
    // now" (tmpfs, FUSE, NFS), every request would end with EAGAIN.
    if (::fcntl(image.fd.get(), F_SETFL, 0) != 0)
        return os_error(errno, fmt::format("{}: cannot make {} wait", key, path));
    TRY_ASSIGN(image.lock, take_lock(image.fd, path, read_only, key));
    return image;
}

}  // namespace carrel
