#include "vmm/base/mapping.h"

#include <cerrno>
#include <string>

namespace carrel {

Result<Mapping> Mapping::map(size_t size, int protection, int flags, int fd, off_t offset, const char* what) {
    void* base = ::mmap(nullptr, size, protection, flags, fd, offset);
    if (base == MAP_FAILED) return os_error(errno, std::string("cannot map ") + what);
    return Mapping(static_cast<std::byte*>(base), size);
}

}  // namespace carrel
