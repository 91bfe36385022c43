#include "vmm/cli/load_watch.h"

#include <poll.h>
#include <sys/time.h>
#include <unistd.h>

#include <string_view>

#include "vmm/base/crash_registry.h"
#include "vmm/cli/exit_status.h"

namespace carrel::cli {
namespace {

// In a signal handler: no allocation, no lock.
[[noreturn]] void end_with(int status, std::string_view line) {
    crash_registry::restore_terminal();
    constexpr int kPatience = 1000;  // milliseconds, for a reader that takes nothing
    pollfd ready{.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
    if (::poll(&ready, 1, kPatience) != 1) ::_exit(status);
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
    ::_exit(status);
}

void on_signal(int number) {
    if (number == SIGALRM)
        end_with(kTimedOut, "carrel: the guest timed out: its files took longer than --timeout to load\n");
    end_with(kEndedByUser, "carrel: the guest was ended: by a signal, while its files were loaded\n");
}

void set_alarm(Nanoseconds time) {
    itimerval value{};
    value.it_value.tv_sec = time / kSecond;
    value.it_value.tv_usec = time % kSecond / kMicrosecond;
    ::setitimer(ITIMER_REAL, &value, nullptr);
}

}  // namespace

LoadWatch::LoadWatch(std::optional<Nanoseconds> timeout) {
    struct sigaction action {};
    action.sa_handler = on_signal;
    ::sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < kSignals.size(); ++i) {
        ::sigaction(kSignals[i], nullptr, &before_[i]);
        if (before_[i].sa_handler != SIG_IGN) ::sigaction(kSignals[i], &action, nullptr);
    }
    if (timeout) set_alarm(*timeout);
}

LoadWatch::~LoadWatch() {
    set_alarm(0);
    for (size_t i = 0; i < kSignals.size(); ++i) {
        struct sigaction now {};
        ::sigaction(kSignals[i], nullptr, &now);
        if (now.sa_handler == on_signal)
            ::sigaction(kSignals[i], &before_[i], nullptr);  // else another's by now
    }
}

}  // namespace carrel::cli
