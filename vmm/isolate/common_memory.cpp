#include "vmm/isolate/common_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

namespace carrel::isolate {

// Zero bytes are what the console begins with. Of the rest, pages come as they are touched.
Result<std::shared_ptr<CommonMemory>> CommonMemory::create() {
    Fd fd(::memfd_create("carrel-guest", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!fd.valid()) return os_error(errno, "cannot create memory to share with a guest's process");
    if (::ftruncate(fd.get(), kSize) != 0 ||
        ::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
        return os_error(errno, "cannot size the memory that is shared with a guest's process");
    return map(std::move(fd));
}

Result<std::shared_ptr<CommonMemory>> CommonMemory::adopt(Fd fd) {
    return map(std::move(fd));
}

Result<std::shared_ptr<CommonMemory>> CommonMemory::map(Fd fd) {
    TRY_ASSIGN(Mapping mapping, Mapping::map(kSize, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0,
                                             "what a host and a guest's process share"));
    return std::make_shared<CommonMemory>(std::move(fd), std::move(mapping));
}

}  // namespace carrel::isolate
