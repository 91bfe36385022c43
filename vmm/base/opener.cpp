#include "vmm/base/opener.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>

namespace carrel {
namespace {

Result<sockaddr_un> unix_address(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof address.sun_path)
        return usage_error(
            "a socket can't be called '" + path + "'",
            "its path has 1 to " + std::to_string(sizeof address.sun_path - 1) + " characters");
    std::copy(path.begin(), path.end(), address.sun_path);
    return address;
}

Result<Fd> unix_socket() {
    Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd.valid()) return os_error(errno, "cannot make a socket");
    return fd;
}

bool bound(int fd, const sockaddr_un& address) {
    return ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

}  // namespace

Result<Fd> DirectOpener::open(const std::string& path, int flags, unsigned mode) {
    const int fd = ::open(path.c_str(), flags | O_CLOEXEC, mode);
    if (fd < 0) return os_error(errno, "cannot open " + path);
    return Fd(fd);
}

Result<Fd> DirectOpener::listen(const std::string& path) {
    TRY_ASSIGN(const sockaddr_un address, unix_address(path));
    TRY_ASSIGN(Fd fd, unix_socket());
    bool there = bound(fd.get(), address);
    if (!there && errno == EADDRINUSE) {
        struct stat status {};
        if (::lstat(path.c_str(), &status) != 0 || !S_ISSOCK(status.st_mode))
            return usage_error(path + " is there already, and isn't a socket", "name another path");
        TRY_ASSIGN(const Fd probe, unix_socket());
        const bool dead =
            ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 &&
            errno == ECONNREFUSED;
        if (!dead) return usage_error(path + " is in use by another process", "name another path");
        ::unlink(path.c_str());
        there = bound(fd.get(), address);
    }
    constexpr int kBacklog = 128;
    if (!there || ::listen(fd.get(), kBacklog) != 0) return os_error(errno, "cannot listen at " + path);
    return fd;
}

void DirectOpener::remove(const std::string& path) {
    ::unlink(path.c_str());
}

Result<Fd> DirectOpener::connect(const std::string& path) {
    TRY_ASSIGN(const sockaddr_un address, unix_address(path));
    TRY_ASSIGN(Fd fd, unix_socket());
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        return os_error(errno, "cannot connect to " + path);
    return fd;
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
