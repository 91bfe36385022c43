#include "devices/backends/disk_image.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

namespace carrel {
namespace {

using Cache = DiskConfig::Cache;

Result<Fd> open_file(Opener& opener, const DiskConfig& config, bool writable, const char* key) {
    // O_NONBLOCK: a FIFO must be refused, not waited for.
    auto fd = opener.open(config.path, (writable ? O_RDWR : O_RDONLY) | O_NONBLOCK);
    if (fd.ok()) return fd;
    return usage_error(fmt::format("{}: {}", key, fd.error().what),
                       writable ? "name a file that exists and that you may write, or add ,ro or ,overlay"
                                : "name a file that exists and that you may read");
}

Result<void> measure(DiskImage& image, const char* key) {
    auto geometry = DiskGeometry::of(image.fd.get(), image.read_only);
    if (!geometry.ok()) {
        Error error = std::move(geometry).error();
        error.what = fmt::format("{}: {}: {}", key, image.path, error.what);
        return error;
    }
    static_cast<DiskGeometry&>(image) = *geometry;
    struct statfs system {};
    // The node of a block device lies on a tmpfs (/dev), but what it stands for doesn't.
    struct stat status {};
    const bool file = ::fstat(image.fd.get(), &status) == 0 && S_ISREG(status.st_mode);
    image.in_memory = file && ::fstatfs(image.fd.get(), &system) == 0 && system.f_type == TMPFS_MAGIC;
    return {};
}

// O_DIRECT for the descriptor that most requests take; a second one, of the same file, for the others.
Result<void> go_past_the_cache(DiskImage& image, Opener& opener, const DiskConfig& config, const char* key) {
    TRY_ASSIGN(image.cached, open_file(opener, config, !image.read_only, key));
    struct stat first {};
    struct stat second {};
    if (::fstat(image.fd.get(), &first) != 0 || ::fstat(image.cached.get(), &second) != 0 ||
        first.st_dev != second.st_dev || first.st_ino != second.st_ino)
        return usage_error(fmt::format("{}: {} is being replaced", key, image.path), "try again");
    if (::fcntl(image.fd.get(), F_SETFL, O_DIRECT) != 0 || ::fcntl(image.cached.get(), F_SETFL, 0) != 0)
        return usage_error(fmt::format("{}: {} can't be had past the page cache (O_DIRECT)", key, image.path),
                           "its file system has no such thing; leave cache=none out");
    image.alignment = std::max(direct_alignment(image.fd.get()), image.block_size);
    image.block_size = image.alignment;
    return {};
}

// Not beside the base: that is often a folder where nobody may write, or a file server's. And not /tmp, which
// is memory on many hosts.
std::string overlay_folder() {
    const char* const folder = std::getenv("TMPDIR");
    return folder != nullptr && *folder != '\0' ? folder : "/var/tmp";
}

Result<void> put_overlay(DiskImage& image, Opener& opener, const DiskConfig& config, const char* key) {
    if (config.overlay_path.empty()) {
        TRY_ASSIGN(image.overlay, DiskOverlay::temporary(opener, overlay_folder(), image.bytes, key));
    } else {
        struct stat base {};
        if (::fstat(image.fd.get(), &base) != 0)
            return os_error(errno, fmt::format("{}: cannot ask about {}", key, image.path));
        TRY_ASSIGN(image.overlay, DiskOverlay::kept(opener, config.overlay_path, base, image.bytes, key));
    }
    image.read_only = false;
    image.in_memory = false;
    image.zeroes = image.punches = true;  // a hole in the overlay is both
    return {};
}

}  // namespace

Result<DiskImage> DiskImage::open(Opener& opener, const DiskConfig& config, const char* key) {
    DiskImage image;
    image.path = config.path;
    image.read_only = config.read_only || config.overlay;
    image.write_through = config.cache == Cache::kWriteThrough;
    TRY_ASSIGN(image.fd, open_file(opener, config, !image.read_only, key));
    TRY_ASSIGN(image.lock, ImageLock::take(opener, image.fd, image.path, image.read_only, key));
    TRY(measure(image, key));
    // From here on it would only keep io_uring from waiting for the disk: where a file system can't say "not
    // now" (tmpfs, FUSE, NFS), every request would end with EAGAIN.
    if (::fcntl(image.fd.get(), F_SETFL, 0) != 0)
        return os_error(errno, fmt::format("{}: cannot make {} wait", key, image.path));
    if (config.cache == Cache::kNone) TRY(go_past_the_cache(image, opener, config, key));
    if (config.overlay) TRY(put_overlay(image, opener, config, key));
    return image;
}

}  // namespace carrel
