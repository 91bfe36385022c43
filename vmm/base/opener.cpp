#include "vmm/base/opener.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

namespace carrel {

Result<Fd> DirectOpener::open(const std::string& path, int flags, unsigned mode) {
    const int fd = ::open(path.c_str(), flags | O_CLOEXEC, mode);
    if (fd < 0) return os_error(errno, "cannot open " + path);
    return Fd(fd);
}

bool same_file(Opener& opener, const std::string& a, const std::string& b) {
    const auto one = opener.open(a, O_PATH);
    const auto other = opener.open(b, O_PATH);
    struct stat first {
    }, second{};
    return one.ok() && other.ok() && ::fstat(one->get(), &first) == 0 &&
           ::fstat(other->get(), &second) == 0 && first.st_dev == second.st_dev &&
           first.st_ino == second.st_ino;
}

}  // namespace carrel
