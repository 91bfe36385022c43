// `carrel top` on a pseudo-terminal: what it draws, and that the terminal is as it was on each way out.
#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstring>

#include "tests/catch.h"
#include "vmm/app/top_session.h"

using namespace carrel;
using namespace carrel::app;

namespace {

constexpr int kWell = 0, kNoAnswer = 7;
constexpr const char* kEntered = "\x1b[?1049h";
constexpr const char* kLeft = "\x1b[?1049l";

TopReading reading_of(size_t guests) {
    TopReading reading;
    for (size_t i = 0; i < guests; ++i) {
        TopReading::Guest guest;
        guest.what.name = "guest" + std::to_string(i);
        reading.guests.push_back(guest);
    }
    return reading;
}

// A process of its own that shows 30 guests, and whose host is gone after `answers`.
class OnTerminal {
  public:
    explicit OnTerminal(int answers = 1'000'000) {
        winsize size{.ws_row = 24, .ws_col = 80, .ws_xpixel = 0, .ws_ypixel = 0};
        child_ = ::forkpty(&master_, nullptr, nullptr, &size);
        REQUIRE(child_ >= 0);
        if (child_ == 0) ::_exit(show(answers));
        REQUIRE(::tcgetattr(master_, &before_) == 0);
        saw("guest0 ");
    }
    ~OnTerminal() {
        if (child_ > 0) ::kill(child_, SIGKILL), ::waitpid(child_, nullptr, 0);
        ::close(master_);
    }
    OnTerminal(const OnTerminal&) = delete;
    OnTerminal& operator=(const OnTerminal&) = delete;

    void type(const char* keys) const { REQUIRE(::write(master_, keys, std::strlen(keys)) > 0); }
    void signal(int number) const { ::kill(child_, number); }
    void resize(unsigned short columns, unsigned short rows) const {
        const winsize size{.ws_row = rows, .ws_col = columns, .ws_xpixel = 0, .ws_ypixel = 0};
        ::ioctl(master_, TIOCSWINSZ, &size);
    }
    // Reads on until it comes; what was read before it no longer counts.
    void saw(const std::string& piece) {
        INFO("waiting for " << piece);
        size_t at = output_.find(piece);
        while (at == output_.npos && read_more()) at = output_.find(piece);
        REQUIRE(at != output_.npos);
        output_.erase(0, at + piece.size());
    }
    // What continues it would be lost on one that hasn't stopped yet.
    void stopped() const {
        int status = 0;
        REQUIRE(::waitpid(child_, &status, WUNTRACED) == child_);
        REQUIRE(WIFSTOPPED(status));
    }
    // The status of its end, with the terminal as it was.
    int end() {
        saw(kLeft);
        int status = 0;
        while (read_more()) {
        }
        REQUIRE(::waitpid(child_, &status, 0) == child_);
        child_ = -1;
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }

  private:
    static int show(int answers) {
        // Raw or not: whoever looks at the terminal afterwards must find it as it was.
        termios before{}, after{};
        ::tcgetattr(STDIN_FILENO, &before);
        const int status = session(answers);
        ::tcgetattr(STDIN_FILENO, &after);
        return std::memcmp(&before, &after, sizeof before) == 0 ? status : 99;
    }
    static int session(int answers) {
        const auto source = [answers]() mutable -> Result<TopReading> {
            if (answers-- == 0) return host_error("the host is gone");
            return reading_of(30);
        };
        auto top = TopSession::open(source, 50 * kMillisecond, STDIN_FILENO, STDOUT_FILENO);
        return top.ok() && (*top)->run().ok() ? kWell : kNoAnswer;
    }
    bool read_more() {
        pollfd ready{master_, POLLIN, 0};
        if (::poll(&ready, 1, 20'000) <= 0) return false;
        std::array<char, 4096> bytes{};
        const ssize_t count = ::read(master_, bytes.data(), bytes.size());
        if (count <= 0) return false;
        output_.append(bytes.data(), static_cast<size_t>(count));
        return true;
    }

    int master_ = -1;
    pid_t child_ = -1;
    termios before_{};
    std::string output_;
};

}  // namespace

TEST_CASE("top on a terminal: q and Ctrl-C end it, and the terminal is as it was") {
    for (const char* keys : {"q", "\x03"}) {
        OnTerminal top;
        top.type(keys);
        CHECK(top.end() == kWell);
    }
}

TEST_CASE("top on a terminal: a signal that asks for the end leaves the terminal as it was") {
    for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGQUIT}) {
        INFO(number);
        OnTerminal top;
        top.signal(number);
        CHECK(top.end() == kWell);
    }
}

TEST_CASE("top on a terminal: a host that is gone ends it, the terminal as it was") {
    OnTerminal top(3);
    CHECK(top.end() == kNoAnswer);
}

TEST_CASE("top on a terminal: it follows the window, and scrolls") {
    OnTerminal top;
    top.saw("... 14 more\x1b[K");
    top.resize(200, 12);
    top.saw("... 26 more\x1b[K");
    top.type("\x1b[B");
    top.saw("... 26 more, 1 of them above\x1b[K");
    top.type("\x1b[6~\x1b[6~\x1b[6~");
    top.saw("... 26 more, 26 of them above\x1b[K");
    top.type("\x1b[5~kkkk\x1b[A");
    top.saw("... 26 more, 11 of them above\x1b[K");
    top.type("q");
    CHECK(top.end() == kWell);
}

TEST_CASE("top on a terminal: Ctrl-Z gives it back, and it goes on afterwards") {
    OnTerminal top;
    top.type("\x1a");
    top.saw(kLeft);
    top.stopped();
    top.signal(SIGCONT);
    top.saw(kEntered);
    top.saw("guest0 ");
    top.type("q");
    CHECK(top.end() == kWell);
}
