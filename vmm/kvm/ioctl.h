// One ioctl(2) that is repeated when a signal came in between, and its failure in words.
#pragma once

#include <sys/ioctl.h>

#include <cerrno>

#include "vmm/base/result.h"

namespace carrel::kvm {

template <class... Args>
int retry_ioctl(int fd, unsigned long request, Args... args) {
    int result = 0;
    do {
        result = ::ioctl(fd, request, args...);
    } while (result < 0 && errno == EINTR);
    return result;
}

// `what` is a piece of "KVM refused to …".
template <class... Args>
Result<int> checked_ioctl(const char* what, int fd, unsigned long request, Args... args) {
    const int result = retry_ioctl(fd, request, args...);
    if (result < 0) return os_error(errno, std::string("KVM refused to ") + what);
    return result;
}

}  // namespace carrel::kvm
