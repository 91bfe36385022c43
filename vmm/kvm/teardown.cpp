#include "vmm/kvm/teardown.h"

#include <linux/io_uring.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace carrel::kvm {

Result<Fd> defer_teardown(std::span<const int> vms) {
    io_uring_params parameters{};
    Fd ring(static_cast<int>(::syscall(SYS_io_uring_setup, 1u, &parameters)));
    if (!ring.valid()) return os_error(errno, "cannot create an io_uring instance");
    const auto count = static_cast<unsigned>(vms.size());
    if (::syscall(SYS_io_uring_register, ring.get(), IORING_REGISTER_FILES, vms.data(), count) != 0) {
        return os_error(errno, "cannot register VM descriptors with io_uring");
    }
    return ring;
}

}  // namespace carrel::kvm
