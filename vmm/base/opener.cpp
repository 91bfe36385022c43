#include "vmm/base/opener.h"

#include <fcntl.h>

#include <cerrno>

namespace carrel {

Result<Fd> DirectOpener::open(const std::string& path, int flags, unsigned mode) {
    const int fd = ::open(path.c_str(), flags | O_CLOEXEC, mode);
    if (fd < 0) return os_error(errno, "cannot open " + path);
    return Fd(fd);
}

}  // namespace carrel
