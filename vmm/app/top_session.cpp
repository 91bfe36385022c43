#include "vmm/app/top_session.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <span>

#include "vmm/base/crash_registry.h"
#include "vmm/base/stream_fd.h"

namespace carrel::app {
namespace {

constexpr Nanoseconds kPatience = kSecond;  // for a terminal that takes nothing
// A second screen, so that what was there comes back (xterm's 1049), without a cursor.
constexpr const char* kEnter = "\x1b[?1049h\x1b[?25l";
constexpr const char* kLeave = "\x1b[?25h\x1b[?1049l";
constexpr const char* kHome = "\x1b[H";
constexpr const char* kEndLine = "\x1b[K";  // what an older page left to the right,
constexpr const char* kEndPage = "\x1b[J";  // and below

}  // namespace

Result<std::unique_ptr<TopSession>> TopSession::open(TopSource source, Nanoseconds interval, int input,
                                                     int output) {
    auto session = std::make_unique<TopSession>(std::move(source), interval, input, output);
    TRY(session->set_up());
    return session;
}

TopSession::TopSession(TopSource source, Nanoseconds interval, int input, int output)
    : source_(std::move(source)),
      interval_(interval),
      input_(input),
      output_(output),
      log_(STDERR_FILENO, LogLevel::kError) {}

TopSession::~TopSession() {
    show_screen(false);
}

Result<void> TopSession::set_up() {
    std::signal(SIGPIPE, SIG_IGN);
    crash_registry::install_crash_handlers();
    sigset_t set;
    ::sigemptyset(&set);
    for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT, SIGWINCH, SIGTTOU, SIGTTIN})
        ::sigaddset(&set, number);
    ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
    signals_ = Fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!signals_.valid()) return os_error(errno, "cannot create a signalfd");
    TRY(refresh());  // before the screen is ours: what is wrong at first is said on the user's
    TRY_ASSIGN(terminal_, Terminal::open(input_, true, log_));
    return {};
}

Result<void> TopSession::run() {
    resume();
    while (!ended_) {
        TRY(wait_until(clock_.now() + interval_));
        if (!ended_) TRY(refresh());
        draw();
    }
    return {};
}

Result<void> TopSession::refresh() {
    TRY_ASSIGN(TopReading reading, source_());
    shown_ = between(last_.value_or(reading), reading);
    last_ = std::move(reading);
    return {};
}

void TopSession::draw() {
    if (!ours_ || ended_) return;
    const WindowSize size = terminal_->size().value_or(WindowSize{.columns = 80, .rows = 24});
    TopView view{size.columns, size.rows, first_};
    const size_t room = top_room(shown_, view), count = shown_.guests.size();
    view.first = first_ = std::min(first_, count > room ? count - room : 0);
    std::string text = kHome;
    for (const std::string& line : top_page(shown_, view))
        text += (text == kHome ? "" : "\r\n") + line + kEndLine;
    write(text + kEndPage);
}

void TopSession::show_screen(bool ours) {
    if (ours_ != ours) write(ours ? kEnter : kLeave);
    ours_ = ours;
}

void TopSession::write(const std::string& text) const {
    (void)write_patiently(output_, std::as_bytes(std::span(text)), kPatience);
}

Result<void> TopSession::wait_until(Nanoseconds deadline) {
    for (Nanoseconds now = clock_.now(); !ended_ && now < deadline; now = clock_.now()) {
        // In the background nothing is read: the terminal is another job's.
        std::array<pollfd, 2> ready = {{{signals_.get(), POLLIN, 0}, {ours_ ? input_ : -1, POLLIN, 0}}};
        const auto wait = static_cast<int>((deadline - now + kMillisecond - 1) / kMillisecond);
        if (::poll(ready.data(), ready.size(), wait) < 0 && errno != EINTR)
            return os_error(errno, "cannot wait for the terminal");
        if (ready[0].revents != 0) on_signals();
        if (ready[1].revents != 0) on_input();
    }
    return {};
}

void TopSession::on_signals() {
    signalfd_siginfo info{};
    while (::read(signals_.get(), &info, sizeof info) == sizeof info) {
        switch (static_cast<int>(info.ssi_signo)) {
            case SIGTSTP: suspend(); break;
            case SIGCONT: resume(); break;
            case SIGWINCH: draw(); break;
            case SIGTTOU:
            case SIGTTIN: break;
            default: ended_ = true;
        }
    }
}

void TopSession::on_input() {
    std::array<char, 256> bytes{};
    const ssize_t count = ::read(input_, bytes.data(), bytes.size());
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (count <= 0) {
        ended_ = true;  // the terminal is gone
        return;
    }
    typed_.append(bytes.data(), static_cast<size_t>(count));
    for (const TopKey key : take_keys(typed_)) on_key(key);
    draw();
}

void TopSession::on_key(TopKey key) {
    constexpr size_t kPage = 10;
    switch (key) {
        case TopKey::kQuit: ended_ = true; break;
        case TopKey::kSuspend: suspend(); break;
        case TopKey::kUp: first_ -= std::min<size_t>(first_, 1); break;
        case TopKey::kPageUp: first_ -= std::min(first_, kPage); break;
        case TopKey::kDown: first_ += 1; break;
        case TopKey::kPageDown: first_ += kPage; break;
    }
}

void TopSession::suspend() {
    show_screen(false);
    terminal_->suspend();
    ::kill(::getpid(), SIGSTOP);
    resume();
}

void TopSession::resume() {
    if (!terminal_->resume()) {
        ours_ = false;  // another job's: nothing is written there
        return;
    }
    show_screen(true);
    draw();
}

}  // namespace carrel::app
