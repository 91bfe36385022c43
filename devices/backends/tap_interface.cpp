#include "devices/backends/tap_interface.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <limits>

#include "devices/backends/net_backend.h"
#include "devices/backends/tap_offloads.h"

namespace carrel {
namespace {

constexpr const char* kDevice = "/dev/net/tun";

ifreq request_for(const std::string& name) {
    ifreq request{};
    name.copy(request.ifr_name, IFNAMSIZ - 1);
    return request;
}

// How a person makes one, for messages.
std::string make_it(const std::string& name, bool many) {
    return fmt::format("ip tuntap add {} mode tap user $USER{} && ip link set {} up", name,
                       many ? " multi_queue" : "", name);
}

// An interface's properties are asked for through a socket, of whatever kind.
Result<Fd> question_socket() {
    Fd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!fd.valid()) return os_error(errno, "cannot make a socket");
    return fd;
}

// Asked first: where we may, TUNSETIFF would make an interface of that name that leads nowhere.
Result<void> check_exists(const std::string& name, bool many, const char* key) {
    TRY_ASSIGN(const Fd socket, question_socket());
    ifreq request = request_for(name);
    if (::ioctl(socket.get(), SIOCGIFINDEX, &request) == 0) return {};
    return usage_error(fmt::format("{}: there is no network interface {}", key, name),
                       "make it first: " + make_it(name, many));
}

Error why_refused(int code, const std::string& name, bool many, const char* key) {
    switch (code) {
        case EPERM:
        case EACCES:
            return usage_error(fmt::format("{}: you may not use {}", key, name),
                               "have it made for you: " + make_it(name, many));
        case EBUSY:
            return usage_error(fmt::format("{}: {} is in use by another guest or program", key, name),
                               "stop the other one, or make another tap");
        case EINVAL:
            return usage_error(
                fmt::format("{}: {} is not a tap {} queues=", key, name, many ? "for" : "without"),
                fmt::format("make one: ip link del {}; {}", name, make_it(name, many)));
        case E2BIG:
            return usage_error(fmt::format("{}: {} has no more queues", key, name),
                               "ask for fewer with queues=");
        default: return os_error(code, fmt::format("{}: cannot use {}", key, name));
    }
}

Result<Fd> open_queue(Opener& opener, const std::string& name, bool many, const char* key) {
    errno = 0;
    auto fd = opener.open(kDevice, O_RDWR | O_NONBLOCK);
    if (!fd.ok()) {
        const bool missing = errno == ENOENT || errno == ENODEV || errno == ENXIO;
        return usage_error(
            fmt::format("{}: {}", key, fd.error().what),
            missing ? "load the kernel's module: modprobe tun (a container must be given the device)"
                    : "ask for permission: chmod 0666 /dev/net/tun is usual");
    }
    ifreq request = request_for(name);
    request.ifr_flags = static_cast<short>(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | (many ? IFF_MULTI_QUEUE : 0));
    if (::ioctl(fd->get(), TUNSETIFF, &request) != 0) return why_refused(errno, name, many, key);
    return fd;
}

// Header's size and byte order are the file's or the interface's, as whoever had it before left them.
Result<void> set_up(TapInterface& tap, const char* key) {
    for (const Fd& queue : tap.queues) {
        int size = sizeof(NetHeader);
        int little = 1;
        if (::ioctl(queue.get(), TUNSETVNETHDRSZ, &size) != 0 ||
            ::ioctl(queue.get(), TUNSETVNETLE, &little) != 0)
            return os_error(errno, fmt::format("{}: cannot set up the headers of {}", key, tap.name));
    }
    const int first = tap.queues.front().get();
    tap.udp_segmentation = ::ioctl(first, TUNSETOFFLOAD, kTapAll) == 0;
    if (::ioctl(first, TUNSETOFFLOAD, 0) != 0)
        return os_error(errno, fmt::format("{}: cannot set the offloads of {}", key, tap.name));
    TRY_ASSIGN(const Fd socket, question_socket());
    ifreq request = request_for(tap.name);
    if (::ioctl(socket.get(), SIOCGIFMTU, &request) != 0)
        return os_error(errno, fmt::format("{}: cannot ask for the MTU of {}", key, tap.name));
    const bool fits = request.ifr_mtu > 0 && request.ifr_mtu <= std::numeric_limits<uint16_t>::max();
    tap.mtu = fits ? static_cast<uint16_t>(request.ifr_mtu) : uint16_t{0};
    return {};
}

}  // namespace

Result<TapInterface> TapInterface::open(Opener& opener, const std::string& name, unsigned queues,
                                        const char* key) {
    const bool many = queues > 1;
    TRY(check_exists(name, many, key));
    TapInterface tap;
    tap.name = name;
    for (unsigned i = 0; i < queues; ++i) {
        TRY_ASSIGN(Fd queue, open_queue(opener, name, many, key));
        tap.queues.push_back(std::move(queue));
    }
    TRY(set_up(tap, key));
    return tap;
}

Result<TapInterface> TapInterface::adopt(int fd, const char* key) {
    Fd own(::fcntl(fd, F_DUPFD_CLOEXEC, 3));
    if (!own.valid())
        return usage_error(fmt::format("{}: descriptor {} isn't open", key, fd),
                           "let whoever starts carrel leave it open: without O_CLOEXEC");
    ifreq request{};
    if (::ioctl(own.get(), TUNGETIFF, &request) != 0 || (request.ifr_flags & IFF_TAP) == 0)
        return usage_error(fmt::format("{}: descriptor {} isn't a tap", key, fd),
                           "open /dev/net/tun and set IFF_TAP | IFF_NO_PI | IFF_VNET_HDR by TUNSETIFF");
    const int wanted = IFF_NO_PI | IFF_VNET_HDR;
    if ((request.ifr_flags & wanted) != wanted)
        return usage_error(
            fmt::format("{}: the tap of descriptor {} has no header before each frame", key, fd),
            "set IFF_NO_PI | IFF_VNET_HDR, too, by TUNSETIFF");
    const int flags = ::fcntl(own.get(), F_GETFL);
    if (flags < 0 || (flags & O_ACCMODE) != O_RDWR || ::fcntl(own.get(), F_SETFL, flags | O_NONBLOCK) != 0)
        return usage_error(fmt::format("{}: descriptor {} isn't for reading and writing", key, fd),
                           "open it with O_RDWR");
    TapInterface tap;
    request.ifr_name[IFNAMSIZ - 1] = '\0';
    tap.name = request.ifr_name;
    tap.queues.push_back(std::move(own));
    TRY(set_up(tap, key));
    return tap;
}

}  // namespace carrel
