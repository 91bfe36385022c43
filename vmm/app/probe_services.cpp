#include "vmm/app/probe_services.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <linux/capability.h>
#include <linux/io_uring.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cerrno>
#include <charconv>
#include <cstring>

namespace carrel::app {
namespace {

std::string name_of(int error) {
    const char* const name = ::strerrorname_np(error);
    return name != nullptr ? name : std::to_string(error);
}

// CapEff in /proc/self/status: a mask in hexadecimal (proc(5)).
bool has_net_admin(Opener& opener) {
    const std::string mask =
        value_of(read_text(opener, "/proc/self/status").value_or(""), "CapEff").value_or("");
    uint64_t bits = 0;
    std::from_chars(mask.data(), mask.data() + mask.size(), bits, 16);
    return (bits >> CAP_NET_ADMIN & 1) != 0;
}

}  // namespace

FaultService try_userfaultfd(Opener& opener) {
    FaultService service;
    const Fd fd(static_cast<int>(::syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK)));
    service.error = fd.valid() ? 0 : errno;
    service.device = opener.open("/dev/userfaultfd", O_RDWR).ok();
    service.setting = read_number(opener, "/proc/sys/vm/unprivileged_userfaultfd");
    return service;
}

Finding judge_userfaultfd(const FaultService& service) {
    if (service.error == 0 || service.device) {
        return {"userfaultfd",
                FindingState::kOk,
                service.error == 0
                    ? "userfaultfd works: memory quotas, lazy restore and live migration can be had"
                    : "userfaultfd works through /dev/userfaultfd: memory quotas can be had",
                {}};
    }
    Finding f{"userfaultfd",
              FindingState::kWarn,
              fmt::format("userfaultfd isn't permitted ({}): no memory quotas, no lazy restore",
                          name_of(service.error)),
              {}};
    if (service.error == ENOSYS) {
        f.advice.emplace_back("this kernel is built without it (CONFIG_USERFAULTFD)");
    } else {
        f.advice.emplace_back(
            "for carrel's group only: in /etc/udev/rules.d/99-kvm.rules: KERNEL==\"userfaultfd\", "
            "GROUP=\"kvm\", MODE=\"0660\"");
        if (service.setting == uint64_t{0})
            f.advice.emplace_back("or for all: sudo sysctl vm.unprivileged_userfaultfd=1");
    }
    return f;
}

RingService try_io_uring(Opener& opener) {
    RingService service;
    io_uring_params params{};
    const Fd fd(static_cast<int>(::syscall(SYS_io_uring_setup, 1, &params)));
    service.error = fd.valid() ? 0 : errno;
    service.setting = read_number(opener, "/proc/sys/kernel/io_uring_disabled");
    return service;
}

Finding judge_io_uring(const RingService& service) {
    if (service.error == 0)
        return {
            "io-uring", FindingState::kOk, "io_uring works: disks are served without a thread a request", {}};
    Finding f{"io-uring",
              FindingState::kWarn,
              fmt::format("io_uring isn't to be had ({}): disks are served by threads, slower",
                          name_of(service.error)),
              {}};
    if (service.error == ENOSYS) {
        f.advice.emplace_back("this kernel is built without it (CONFIG_IO_URING)");
    } else if (service.setting.value_or(0) != 0) {
        f.advice.push_back(fmt::format(
            "kernel.io_uring_disabled is {}: sudo sysctl kernel.io_uring_disabled=0", *service.setting));
    } else {
        f.advice.emplace_back(
            "a seccomp filter (a container's default) forbids it: allow io_uring_setup, io_uring_enter and "
            "io_uring_register there");
    }
    return f;
}

TapService try_tap(Opener& opener) {
    TapService service;
    struct stat unused {};
    service.exists = ::stat("/dev/net/tun", &unused) == 0;
    service.device = opener.open("/dev/net/tun", O_RDWR).ok();
    service.net_admin = has_net_admin(opener);
    return service;
}

Finding judge_tap(const TapService& service) {
    if (service.device && service.net_admin)
        return {"tap",
                FindingState::kOk,
                "--net tap works: tap devices can be made (CAP_NET_ADMIN); vhost-net isn't needed",
                {}};
    if (service.device) {
        return {"tap",
                FindingState::kInfo,
                "tap devices can't be made without CAP_NET_ADMIN; one made beforehand for this user works",
                {"sudo ip tuntap add dev tap0 mode tap user $USER"}};
    }
    return {"tap",
            FindingState::kInfo,
            service.exists ? "/dev/net/tun may not be opened: no tap devices"
                           : "/dev/net/tun doesn't exist: no tap devices",
            {service.exists ? "sudo chmod 666 /dev/net/tun (the usual mode)" : "sudo modprobe tun"}};
}

}  // namespace carrel::app
