#include "vmm/cli/attached_console.h"

#include <poll.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>

#include "vmm/base/crash_registry.h"
#include "vmm/cli/say.h"

namespace carrel::cli {
namespace {

constexpr char kEscape = 'A' - '@';  // Ctrl-A

// Raw while it lives, where standard input is a terminal.
class RawTerminal {
  public:
    RawTerminal() : there_(::tcgetattr(STDIN_FILENO, &before_) == 0) {
        if (!there_) return;
        crash_registry::remember_terminal(STDIN_FILENO, before_);
        crash_registry::install_crash_handlers();
        termios raw = before_;
        ::cfmakeraw(&raw);
        ::tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    }
    ~RawTerminal() {
        if (!there_) return;
        ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
        crash_registry::forget_terminal();
    }
    RawTerminal(const RawTerminal&) = delete;
    RawTerminal& operator=(const RawTerminal&) = delete;
    bool there() const { return there_; }

  private:
    termios before_{};
    const bool there_;
};

bool write_whole(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t count = ::write(fd, bytes.data(), bytes.size());
        if (count > 0) bytes.remove_prefix(static_cast<size_t>(count));
        if (count >= 0 || errno == EINTR) continue;
        if (errno != EAGAIN) return false;
        pollfd ready{.fd = fd, .events = POLLOUT, .revents = 0};
        (void)::poll(&ready, 1, -1);
    }
    return true;
}

// What is typed, without the escapes. `left`: Ctrl-A d was among it.
std::string typed(std::string_view bytes, bool& escape, bool& left) {
    std::string text;
    for (const char c : bytes) {
        if (!escape) {
            escape = c == kEscape;
            if (!escape) text += c;
            continue;
        }
        escape = false;
        left = left || c == 'd';
        if (c == 'a' || c == kEscape) text += kEscape;
    }
    return text;
}

}  // namespace

Result<void> attach_console(int fd, std::string_view first) {
    const RawTerminal terminal;
    if (!write_whole(STDOUT_FILENO, first)) return {};
    bool escape = false, left = false;
    std::array<pollfd, 2> waits = {
        {{.fd = fd, .events = POLLIN, .revents = 0}, {.fd = STDIN_FILENO, .events = POLLIN, .revents = 0}}};
    std::array<char, 16384> buffer;
    while (!left) {
        if (::poll(waits.data(), waits.size(), -1) < 0) continue;
        if (waits[0].revents != 0) {
            const ssize_t count = ::recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
            if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) return {};
            if (count > 0 && !write_whole(STDOUT_FILENO, {buffer.data(), static_cast<size_t>(count)}))
                return {};
        }
        if (waits[1].revents == 0) continue;
        const ssize_t count = ::read(STDIN_FILENO, buffer.data(), buffer.size());
        if (count <= 0) {
            if (terminal.there()) return {};
            waits[1].fd = -1;  // nothing more is typed; what is said still comes
            continue;
        }
        std::string text(buffer.data(), static_cast<size_t>(count));
        if (terminal.there()) text = typed(text, escape, left);
        if (!write_whole(fd, text)) return {};
    }
    return {};
}

}  // namespace carrel::cli
