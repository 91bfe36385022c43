#include "boot/kernel_image.h"

#include <sys/stat.h>

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

}  // namespace

Result<FileIdentity> identify_input(const InputFile& file, const char* role) {
    struct stat status {};
    if (::fstat(file.fd.get(), &status) != 0) return os_error(errno, "cannot examine " + file.name);
    if (!S_ISREG(status.st_mode)) {
        return usage_error(file.name + " is " + kind_of(status.st_mode) + ", which can't be " + role,
                           "name a regular file (copy what comes from elsewhere to one first)");
    }
    if (status.st_size <= 0)
        return usage_error(file.name + " is empty", std::string("name a file that holds ") + role);
    constexpr int64_t kNanoseconds = 1'000'000'000;
    return FileIdentity{status.st_dev, status.st_ino,
                        status.st_mtim.tv_sec * kNanoseconds + status.st_mtim.tv_nsec,
                        static_cast<uint64_t>(status.st_size)};
}

Result<KernelImage> KernelImage::open(const InputFile& file) {
    TRY_ASSIGN(const FileIdentity identity, identify_input(file, "a kernel"));
    TRY_ASSIGN(GuardedFileMapping mapping, GuardedFileMapping::map(file.fd.get(), identity.size, file.name));
    KernelImage image;
    image.mapping_.emplace(std::move(mapping));
    image.bytes_ = image.mapping_->bytes();
    image.name_ = file.name;
    image.identity_ = identity;
    return image;
}

KernelImage KernelImage::embedded(std::span<const std::byte> bytes, std::string name) {
    KernelImage image;
    image.bytes_ = bytes;
    image.name_ = std::move(name);
    return image;
}

Result<void> KernelImage::check_whole() const {
    if (!mapping_ || !mapping_->shrunk()) return {};
    return host_error(
        name_ + " shrank while it was read, or a part of it couldn't be read from its disk",
        "start again when nobody writes to it (replace a kernel by renaming a new file over it)");
}

}  // namespace carrel::boot
