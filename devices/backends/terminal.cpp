#include "devices/backends/terminal.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "vmm/base/crash_registry.h"

namespace carrel {
namespace {

termios raw_settings(termios settings, bool output_is_terminal) {
    const tcflag_t output = settings.c_oflag;
    ::cfmakeraw(&settings);
    if (!output_is_terminal) settings.c_oflag = output;
    settings.c_cc[VMIN] = 1;
    settings.c_cc[VTIME] = 0;
    return settings;
}

}  // namespace

bool Terminal::is_terminal(int fd) {
    return ::isatty(fd) == 1;
}

Result<std::unique_ptr<Terminal>> Terminal::open(int input, bool output_is_terminal, Log& log) {
    if (!is_terminal(input)) return std::unique_ptr<Terminal>();
    Fd fd(::fcntl(input, F_DUPFD_CLOEXEC, 3));
    if (!fd.valid()) return os_error(errno, "cannot duplicate the terminal's descriptor");
    auto terminal = std::make_unique<Terminal>(std::move(fd), output_is_terminal, log);
    terminal->resume();
    return terminal;
}

Terminal::Terminal(Fd fd, bool output_is_terminal, Log& log)
    : fd_(std::move(fd)), output_is_terminal_(output_is_terminal), log_(log) {}

Terminal::~Terminal() {
    suspend();
}

bool Terminal::in_foreground() const {
    const pid_t foreground = ::tcgetpgrp(fd_.get());
    return foreground < 0 || foreground == ::getpgrp();
}

void Terminal::suspend() {
    MutexLock lock(mutex_);
    if (std::exchange(is_raw_, false)) leave();
}

void Terminal::leave() {
    // Stopped and put into the background meanwhile: the terminal is in the shell's hands already.
    if (in_foreground()) ::tcsetattr(fd_.get(), TCSANOW, &saved_);
    crash_registry::forget_terminal();
    log_.set_raw(fd_.get(), false);
}

bool Terminal::resume() {
    MutexLock lock(mutex_);
    if (!in_foreground()) {
        if (std::exchange(is_raw_, false)) leave();
        return false;
    }
    if (!is_raw_ && ::tcgetattr(fd_.get(), &saved_) != 0) return false;
    crash_registry::remember_terminal(fd_.get(), saved_);
    const termios raw = raw_settings(saved_, output_is_terminal_);
    // TCSANOW: waiting for pending output could wait for ever on a terminal stopped by Ctrl-S.
    is_raw_ = ::tcsetattr(fd_.get(), TCSANOW, &raw) == 0;
    if (!is_raw_) crash_registry::forget_terminal();
    log_.set_raw(fd_.get(), is_raw_);
    return is_raw_;
}

bool Terminal::raw() const {
    MutexLock lock(mutex_);
    return is_raw_;
}

std::optional<WindowSize> Terminal::size() const {
    winsize window{};
    if (::ioctl(fd_.get(), TIOCGWINSZ, &window) != 0 || window.ws_col == 0) return std::nullopt;
    return WindowSize{.columns = window.ws_col, .rows = window.ws_row};
}

}  // namespace carrel
