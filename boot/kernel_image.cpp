#include "boot/kernel_image.h"

#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace carrel::boot {
namespace {

// What `mode` says that it is, where it is no regular file.
const char* kind_of(mode_t mode) {
    switch (mode & S_IFMT) {
        case S_IFDIR: return "a directory";
        case S_IFIFO: return "a FIFO";
        case S_IFSOCK: return "a socket";
        case S_IFCHR: return "a character device";
        case S_IFBLK: return "a block device";
        default: return "no regular file";
    }
}

// File systems whose files are made as they are read: the size that fstat(2) gives is no size, and most can't
// be mapped.
bool is_made_up(int fd) {
    constexpr std::array<uint64_t, 9> kKinds = {PROC_SUPER_MAGIC, SYSFS_MAGIC,        DEBUGFS_MAGIC,
                                                TRACEFS_MAGIC,    CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC,
                                                SECURITYFS_MAGIC, EFIVARFS_MAGIC,     PSTOREFS_MAGIC};
    struct statfs status {};
    if (::fstatfs(fd, &status) != 0) return false;
    return std::find(kKinds.begin(), kKinds.end(), static_cast<uint64_t>(status.f_type)) != kKinds.end();
}

int64_t nanoseconds(const timespec& time) {
    constexpr int64_t kSecond = 1'000'000'000;
    return time.tv_sec * kSecond + time.tv_nsec;
}

FileState state_of(const struct stat& status) {
    return {FileIdentity{status.st_dev, status.st_ino, nanoseconds(status.st_mtim),
                         static_cast<uint64_t>(status.st_size)},
            nanoseconds(status.st_ctim), status.st_nlink};
}

// Whoever writes sets mtime; one who sets it back (cp -p, touch) can't set ctime back. But ctime also moves
// where only a name comes or goes: the way in which we ask people to replace a kernel.
bool is_same(const FileState& a, const FileState& b) {
    return a.identity == b.identity && (a.ctime_ns == b.ctime_ns || a.links != b.links);
}

constexpr const char* kWhenToStart =
    "start again when nobody writes to it (replace such a file by renaming a new one over it)";

}  // namespace

Result<FileState> examine_input(const InputFile& file, const char* role) {
    struct stat status {};
    if (::fstat(file.fd.get(), &status) != 0) return os_error(errno, "cannot examine " + file.name);
    if (!S_ISREG(status.st_mode)) {
        return usage_error(file.name + " is " + kind_of(status.st_mode) + ", which can't be " + role,
                           "name a regular file (copy what comes from elsewhere to one first)");
    }
    if (is_made_up(file.fd.get())) {
        return usage_error(file.name +
                               " is no file on a disk but one that the host makes up as it is read "
                               "(/proc, /sys and the like; its size is no real one), which can't be " +
                               role,
                           "copy what it holds to a regular file first");
    }
    if (status.st_size <= 0)
        return usage_error(file.name + " is empty", std::string("name a file that holds ") + role);
    return state_of(status);
}

Result<void> check_unchanged(int fd, const std::string& name, const FileState& before) {
    struct stat status {};
    if (::fstat(fd, &status) != 0) return os_error(errno, "cannot examine " + name);
    if (is_same(before, state_of(status))) return {};
    return host_error(name + " changed while it was read", kWhenToStart);
}

Result<KernelImage> KernelImage::open(const InputFile& file) {
    TRY_ASSIGN(const FileState state, examine_input(file, "a kernel"));
    TRY_ASSIGN(GuardedFileMapping mapping,
               GuardedFileMapping::map(file.fd.get(), state.identity.size, file.name));
    KernelImage image;
    image.mapping_.emplace(std::move(mapping));
    image.bytes_ = image.mapping_->bytes();
    image.name_ = file.name;
    image.fd_ = file.fd.get();
    image.state_ = state;
    return image;
}

KernelImage KernelImage::embedded(std::span<const std::byte> bytes, std::string name) {
    KernelImage image;
    image.bytes_ = bytes;
    image.name_ = std::move(name);
    return image;
}

Result<void> KernelImage::check_whole() const {
    if (!mapping_) return {};
    if (!mapping_->shrunk()) return check_unchanged(fd_, name_, *state_);
    return host_error(name_ + " shrank while it was read, or a part of it couldn't be read from its disk",
                      kWhenToStart);
}

}  // namespace carrel::boot
