#include "devices/backends/pty.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <utility>

namespace carrel {
namespace {

// Raw, or the line discipline would echo the guest's output back to it as input, and hold input until a line
// ends.
bool make_raw(int slave) {
    termios settings{};
    if (::tcgetattr(slave, &settings) != 0) return false;
    ::cfmakeraw(&settings);
    return ::tcsetattr(slave, TCSANOW, &settings) == 0;
}

}  // namespace

Result<Pty> Pty::open(Opener& opener) {
    TRY_ASSIGN(Fd master, opener.open("/dev/ptmx", O_RDWR | O_NOCTTY));
    const int unlocked = 0;
    if (::ioctl(master.get(), TIOCSPTLCK, &unlocked) != 0) return os_error(errno, "cannot unlock a new pty");
    // By descriptor and not by name: the name may mean another pty in another mount namespace.
    Fd slave(::ioctl(master.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
    std::array<char, 64> name{};
    if (!slave.valid() || ::ptsname_r(master.get(), name.data(), name.size()) != 0 ||
        !make_raw(slave.get())) {
        return os_error(errno, "cannot set a new pty up");
    }
    return Pty(std::move(master), std::move(slave), name.data());
}

void Pty::wait_until_read() const {
    constexpr int kPatience = 20;              // looks without progress
    constexpr timespec kPause{0, 10'000'000};  // between two looks
    int unread = 0;
    for (int before = -1, looks = 0; looks < kPatience; ++looks, before = unread) {
        if (::ioctl(slave_.get(), FIONREAD, &unread) != 0 || unread == 0) return;
        if (unread != before) looks = 0;
        ::nanosleep(&kPause, nullptr);
    }
}

Result<StreamFd> Pty::stream() const {
    Fd copy(::fcntl(master_.get(), F_DUPFD_CLOEXEC, 3));
    if (!copy.valid()) return os_error(errno, "cannot duplicate a pty's descriptor");
    return StreamFd::own(std::move(copy));
}

}  // namespace carrel
