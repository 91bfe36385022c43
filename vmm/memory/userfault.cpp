#include "vmm/memory/userfault.h"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "vmm/base/check.h"
#include "vmm/model/gpa.h"

namespace carrel {
namespace {

constexpr const char* kDevice = "/dev/userfaultfd";
constexpr size_t kMostMessages = 16;

uint64_t address_of(std::span<std::byte> range) {
    return reinterpret_cast<uintptr_t>(range.data());
}

// Nothing where there is none or it may not be opened.
Fd by_device(Opener& opener) {
    const auto device = opener.open(kDevice, O_RDWR);
    if (!device.ok()) return {};
    return Fd(::ioctl(device->get(), USERFAULTFD_IOC_NEW, O_CLOEXEC | O_NONBLOCK));
}

Error refused(int code) {
    return os_error(code, "a memory quota needs userfaultfd, which isn't permitted here",
                    std::string("let your group open ") + kDevice +
                        " (chgrp and chmod 660), or set sysctl vm.unprivileged_userfaultfd=1; or leave "
                        "--memory-quota out");
}

}  // namespace

Result<Userfault> Userfault::open(Opener& opener) {
    Fd fd = by_device(opener);
    if (!fd.valid()) fd = Fd(static_cast<int>(::syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK)));
    if (!fd.valid()) return refused(errno);
    uffdio_api api{UFFD_API, 0, 0};
    if (::ioctl(fd.get(), UFFDIO_API, &api) != 0) return refused(errno);
    return Userfault(std::move(fd));
}

bool Userfault::watch(std::span<std::byte> range) const {
    uffdio_register registration{{address_of(range), range.size()}, UFFDIO_REGISTER_MODE_MISSING, 0};
    return ::ioctl(fd(), UFFDIO_REGISTER, &registration) == 0;
}

bool Userfault::give_zeros(std::span<std::byte> pages) const {
    while (!pages.empty()) {
        uffdio_zeropage zeros{{address_of(pages), pages.size()}, 0, 0};
        if (::ioctl(fd(), UFFDIO_ZEROPAGE, &zeros) == 0) return true;
        if (errno != EAGAIN && errno != EEXIST) return false;
        size_t done = zeros.zeropage > 0 ? static_cast<size_t>(zeros.zeropage) : 0;
        if (done == 0 && errno == EEXIST) {
            wake(pages.first(kPageSize));  // it is there, and who waited for it doesn't know
            done = kPageSize;
        }
        pages = pages.subspan(done);
    }
    return true;
}

bool Userfault::give(std::span<std::byte> pages, std::span<const std::byte> content) const {
    CHECK(pages.size() == content.size());
    while (!pages.empty()) {
        uffdio_copy copy{address_of(pages), reinterpret_cast<uintptr_t>(content.data()), pages.size(), 0, 0};
        if (::ioctl(fd(), UFFDIO_COPY, &copy) == 0) return true;
        // EAGAIN: the address space was changing.
        if (errno != EAGAIN) return false;
        const size_t done = copy.copy > 0 ? static_cast<size_t>(copy.copy) : 0;
        pages = pages.subspan(done);
        content = content.subspan(done);
    }
    return true;
}

void Userfault::wake(std::span<std::byte> range) const {
    uffdio_range whole{address_of(range), range.size()};
    CHECK(::ioctl(fd(), UFFDIO_WAKE, &whole) == 0);
}

size_t Userfault::read(std::span<MissingPage> pages) const {
    std::array<uffd_msg, kMostMessages> messages;
    const size_t room = std::min(messages.size(), pages.size()) * sizeof(uffd_msg);
    const ssize_t got = ::read(fd(), messages.data(), room);
    size_t count = 0;
    for (size_t i = 0; got > 0 && i < static_cast<size_t>(got) / sizeof(uffd_msg); ++i) {
        if (messages[i].event != UFFD_EVENT_PAGEFAULT) continue;
        const auto& fault = messages[i].arg.pagefault;
        pages[count++] = {reinterpret_cast<std::byte*>(fault.address),
                          (fault.flags & UFFD_PAGEFAULT_FLAG_WRITE) != 0};
    }
    return count;
}

}  // namespace carrel
