#include "devices/backends/image_lock.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <memory>
#include <optional>
#include <vector>

namespace carrel {
namespace {

int change_lock(int fd, int type) {
    struct flock range {};
    range.l_type = static_cast<short>(type);
    range.l_whence = SEEK_SET;
    return ::fcntl(fd, F_OFD_SETLK, &range);
}

// The numbers that a folder of /proc has as names.
std::vector<std::string> numbers_in(Opener& opener, const std::string& folder) {
    std::vector<std::string> names;
    auto fd = opener.open(folder, O_RDONLY | O_DIRECTORY);
    if (!fd.ok()) return names;
    const std::unique_ptr<DIR, int (*)(DIR*)> entries(::fdopendir(fd->get()), ::closedir);
    if (!entries) return names;
    (void)fd->release();  // the DIR's now
    while (const dirent* const entry = ::readdir(entries.get()))
        if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9') names.emplace_back(entry->d_name);
    return names;
}

std::string content(Opener& opener, const std::string& path) {
    std::string text(4096, '\0');
    const auto fd = opener.open(path, O_RDONLY);
    const ssize_t got = fd.ok() ? ::read(fd.value().get(), text.data(), text.size()) : 0;
    text.resize(got > 0 ? static_cast<size_t>(got) : 0);
    return text;
}

// The process whose descriptor has a lock on the file. Neither F_OFD_GETLK nor /proc/locks tell whose a lock
// of an open file description is (they say -1); its descriptor in /proc/PID/fdinfo has a line "lock: …
// MAJOR:MINOR:INODE 0 EOF" (proc(5)). Nothing where that process isn't ours to look at.
std::optional<std::string> holder_of(Opener& opener, int fd) {
    struct stat status {};
    if (::fstat(fd, &status) != 0) return std::nullopt;
    const std::string file =
        fmt::format(" {:02x}:{:02x}:{} ", major(status.st_dev), minor(status.st_dev), status.st_ino);
    for (const std::string& pid : numbers_in(opener, "/proc")) {
        const std::string folder = "/proc/" + pid + "/fdinfo";
        for (const std::string& number : numbers_in(opener, folder)) {
            const std::string info = content(opener, folder + "/" + number);
            const size_t lock = info.find("lock:");
            if (lock != std::string::npos && info.find(file, lock) != std::string::npos) return pid;
        }
    }
    return std::nullopt;
}

std::string describe_holder(Opener& opener, int fd) {
    const auto pid = holder_of(opener, fd);
    if (!pid) return "another guest or program";
    if (*pid == std::to_string(::getpid())) return "another guest or disk of this process";
    std::string name = content(opener, "/proc/" + *pid + "/comm");
    while (!name.empty() && name.back() == '\n') name.pop_back();
    return fmt::format("another guest or program, process {} ({})", *pid, name);
}

}  // namespace

Result<ImageLock> ImageLock::take(Opener& opener, const Fd& fd, const std::string& path, bool read_only,
                                  const char* key, const char* advice) {
    if (change_lock(fd.get(), read_only ? F_RDLCK : F_WRLCK) == 0) return ImageLock(fd.get());
    if (errno == EAGAIN || errno == EACCES) {
        return usage_error(
            fmt::format("{}: {} is in use by {}", key, path, describe_holder(opener, fd.get())),
            read_only ? "somebody writes to it; stop them, or use a copy" : advice);
    }
    // A file system without locks: nobody else could have one either.
    if (errno == ENOLCK || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP) return ImageLock();
    return os_error(errno, fmt::format("{}: cannot lock {}", key, path));
}

ImageLock::~ImageLock() {
    if (fd_ >= 0) change_lock(fd_, F_UNLCK);
}

}  // namespace carrel
