#include "devices/backends/terminal.h"

#include <pty.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include <csignal>
#include <functional>

#include "devices/backends/console_input.h"
#include "tests/backends/helpers.h"
#include "vmm/base/crash_registry.h"

using namespace carrel;
using namespace carrel::test;

namespace {

struct Modes {
    bool raw = false;
    bool output_processing = false;
    bool operator==(const Modes&) const = default;
};
constexpr Modes kCooked{.raw = false, .output_processing = true};
constexpr Modes kRaw{.raw = true, .output_processing = false};

// A process of its own as the leader of a session on a fresh terminal, as a shell has it. `body` runs there
// with the terminal's descriptor; ready() there lets wait_ready() here go on.
class OnTerminal {
  public:
    explicit OnTerminal(const std::function<int(OnTerminal&)>& body) {
        int m = -1;
        int s = -1;
        REQUIRE(::openpty(&m, &s, nullptr, nullptr, nullptr) == 0);
        master.reset(m);
        slave.reset(s);
        child = ::fork();
        if (child != 0) return;
        ::setsid();
        ::ioctl(slave.get(), TIOCSCTTY, 0);
        ::_exit(body(*this));
    }
    ~OnTerminal() {
        if (child > 0 && !reaped_) {
            ::kill(child, SIGKILL);
            ::waitpid(child, nullptr, 0);
        }
    }
    OnTerminal(const OnTerminal&) = delete;
    OnTerminal& operator=(const OnTerminal&) = delete;

    void ready() const { (void)!::write(ready_.writer.get(), "r", 1); }
    void wait_ready() const { REQUIRE(read_some(ready_.reader.get(), 1) == "r"); }
    Modes modes() const {
        termios settings{};
        REQUIRE(::tcgetattr(master.get(), &settings) == 0);
        return {.raw = (settings.c_lflag & (ICANON | ECHO | ISIG)) == 0,
                .output_processing = (settings.c_oflag & OPOST) != 0};
    }
    int wait(int options = 0) {
        int status = 0;
        REQUIRE(::waitpid(child, &status, options) == child);
        reaped_ = !WIFSTOPPED(status);
        return status;
    }

    Fd master;
    Fd slave;
    pid_t child = -1;

  private:
    Pipe ready_;
    bool reaped_ = false;
};

Log quiet_log() {
    return {2, LogLevel::kError};
}

// What vmm/host does with deadly signals.
void restore_and_die(int number) {
    crash_registry::restore_terminal();
    ::signal(number, SIG_DFL);
    ::raise(number);
}

// Blocks the signals that a carrel's main thread waits for; before any thread starts.
sigset_t block_signals() {
    sigset_t set;
    ::sigemptyset(&set);
    for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGTSTP, SIGCONT, SIGTTIN, SIGTTOU})
        ::sigaddset(&set, number);
    ::sigprocmask(SIG_BLOCK, &set, nullptr);
    return set;
}

// A carrel's main thread, as far as the terminal is concerned.
int run_like_carrel(OnTerminal& t) {
    const sigset_t set = block_signals();
    Log log = quiet_log();
    auto terminal = Terminal::open(t.slave.get(), true, log).value();
    t.ready();
    for (int number = 0; ::sigwait(&set, &number) == 0;) {
        if (number == SIGTSTP) {
            terminal->suspend();
            ::kill(::getpid(), SIGSTOP);
        } else if (number == SIGCONT) {
            terminal->resume();
        } else {
            return 0;
        }
        t.ready();
    }
    return 1;
}

}  // namespace

TEST_CASE("what is no terminal is left alone") {
    Log log = quiet_log();
    Pipe pipe;
    CHECK(Terminal::open(pipe.reader.get(), true, log).value() == nullptr);
    const Fd null(::open("/dev/null", O_RDONLY));
    CHECK(Terminal::open(null.get(), true, log).value() == nullptr);
    CHECK(Terminal::open(987, true, log).value() == nullptr);
}

TEST_CASE("raw while it is open, as it was afterwards") {
    OnTerminal t([](OnTerminal& me) {
        Log log = quiet_log();
        auto terminal = Terminal::open(me.slave.get(), true, log).value();
        me.ready();
        std::array<char, 1> key{};
        (void)!::read(me.slave.get(), key.data(), 1);
        const bool got_control_c = key[0] == 3;
        terminal.reset();
        return got_control_c ? 0 : 1;
    });
    t.wait_ready();
    CHECK(t.modes() == kRaw);
    REQUIRE(::write(t.master.get(), "\x03", 1) == 1);  // a key like any other, and at once
    CHECK(t.wait() == 0);
    CHECK(t.modes() == kCooked);
}

TEST_CASE("output processing stays on when only the input is a terminal") {
    OnTerminal t([](OnTerminal& me) {
        Log log = quiet_log();
        auto terminal = Terminal::open(me.slave.get(), false, log).value();
        me.ready();
        ::pause();
        return 0;
    });
    t.wait_ready();
    CHECK(t.modes() == Modes{.raw = true, .output_processing = true});
}

TEST_CASE("signals that end carrel restore the terminal") {
    const int number = GENERATE(SIGTERM, SIGINT, SIGHUP);
    OnTerminal t([](OnTerminal& me) { return run_like_carrel(me); });
    t.wait_ready();
    CHECK(t.modes() == kRaw);
    ::kill(t.child, number);
    CHECK(t.wait() == 0);
    CHECK(t.modes() == kCooked);
}

TEST_CASE("crashes restore the terminal") {
    const int number = GENERATE(SIGABRT, SIGSEGV, SIGBUS, SIGQUIT);
    OnTerminal t([number](OnTerminal& me) {
        ::signal(number, restore_and_die);
        Log log = quiet_log();
        auto terminal = Terminal::open(me.slave.get(), true, log).value();
        me.ready();
        ::pause();
        return 0;
    });
    t.wait_ready();
    CHECK(t.modes() == kRaw);
    ::kill(t.child, number);
    const int status = t.wait();
    CHECK(WIFSIGNALED(status));
    CHECK(WTERMSIG(status) == number);
    CHECK(t.modes() == kCooked);
}

TEST_CASE("a failed CHECK restores the terminal") {
    OnTerminal t([](OnTerminal& me) -> int {
        const Fd null(::open("/dev/null", O_WRONLY));
        ::dup2(null.get(), 2);
        ::signal(SIGABRT, SIG_DFL);  // not Catch2's
        Log log = quiet_log();
        auto terminal = Terminal::open(me.slave.get(), true, log).value();
        check_failed("here", 1, "false");
    });
    CHECK(WTERMSIG(t.wait()) == SIGABRT);
    CHECK(t.modes() == kCooked);
}

TEST_CASE("stopped from outside and continued: cooked in between, raw again") {
    OnTerminal t([](OnTerminal& me) { return run_like_carrel(me); });
    t.wait_ready();
    for (int i = 0; i < 2; ++i) {
        ::kill(t.child, SIGTSTP);
        CHECK(WIFSTOPPED(t.wait(WUNTRACED)));
        CHECK(t.modes() == kCooked);
        ::kill(t.child, SIGCONT);
        CHECK(eventually([&] { return t.modes() == kRaw; }));
    }
    // SIGSTOP gives no chance to restore; the shell does it. Then raw again.
    ::kill(t.child, SIGSTOP);
    CHECK(WIFSTOPPED(t.wait(WUNTRACED)));
    termios settings{};
    REQUIRE(::tcgetattr(t.master.get(), &settings) == 0);
    settings.c_lflag |= ICANON | ECHO | ISIG;
    settings.c_oflag |= OPOST;
    REQUIRE(::tcsetattr(t.master.get(), TCSANOW, &settings) == 0);
    ::kill(t.child, SIGCONT);
    CHECK(eventually([&] { return t.modes() == kRaw; }));
    ::kill(t.child, SIGTERM);
    CHECK(t.wait() == 0);
    CHECK(t.modes() == kCooked);
}

TEST_CASE("the window's size is known when the terminal knows it") {
    int m = -1;
    int s = -1;
    REQUIRE(::openpty(&m, &s, nullptr, nullptr, nullptr) == 0);
    const Fd master(m);
    const Fd slave(s);
    Log log = quiet_log();
    auto terminal = Terminal::open(slave.get(), true, log).value();
    CHECK_FALSE(terminal->size().has_value());
    const winsize window{.ws_row = 24, .ws_col = 80, .ws_xpixel = 0, .ws_ypixel = 0};
    REQUIRE(::ioctl(master.get(), TIOCSWINSZ, &window) == 0);
    CHECK(terminal->size()->columns == 80);
    CHECK(terminal->size()->rows == 24);
}

namespace {

class Guest final : public ByteReceiver {
  public:
    size_t room() override { return 1024; }
    void receive(std::span<const std::byte> bytes) override { count += bytes.size(); }
    std::atomic<size_t> count{0};
};

// `carrel run … &`, and then `fg`: what the job does, in a process group of its own.
int background_job(OnTerminal& t) {
    ::setpgid(0, 0);
    block_signals();
    Log log = quiet_log();
    auto terminal = Terminal::open(t.slave.get(), true, log).value();
    if (terminal->raw()) return 1;
    LoopThread loop;
    Guest guest;
    auto input = ConsoleInput::create(
                     loop.loop(), StreamFd::borrow(t.slave.get(), StreamFd::Use::kRead).value(), guest,
                     {.terminal = terminal.get(), .help = nullptr, .on_end_key = {}, .on_end_of_source = {}})
                     .value();
    loop.start();
    t.ready();
    const bool good = eventually([&] { return guest.count == 4; }) && terminal->raw();
    loop.stop();
    input.reset();
    terminal.reset();
    return good ? 0 : 2;
}

// The shell: starts the job in the background, and takes it to the foreground when told.
int shell(OnTerminal& t, int go) {
    ::signal(SIGTTOU, SIG_IGN);
    const pid_t job = ::fork();
    if (job == 0) ::_exit(background_job(t));
    if (read_some(go, 1).empty()) return 10;
    ::tcsetpgrp(t.slave.get(), job);
    int status = 0;
    ::waitpid(job, &status, WUNTRACED);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 11;
}

}  // namespace

TEST_CASE("in the background the terminal is neither read nor changed; in the foreground it is") {
    Pipe go;
    OnTerminal t([&](OnTerminal& me) { return shell(me, go.reader.get()); });
    t.wait_ready();
    REQUIRE(::write(t.master.get(), "ls\n", 3) == 3);  // for the shell, but it isn't read yet
    std::this_thread::sleep_for(std::chrono::milliseconds(400));
    CHECK(t.modes() == kCooked);
    REQUIRE(::write(go.writer.get(), "g", 1) == 1);
    CHECK(eventually([&] { return t.modes() == kRaw; }));
    REQUIRE(::write(t.master.get(), "\n", 1) == 1);
    CHECK(t.wait() == 0);
    CHECK(t.modes() == kCooked);
}
