// Signals that main's loop is told of.
#include <poll.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <string>

#include "tests/catch.h"
#include "vmm/base/signal_watch.h"
#include "vmm/base/thread.h"

using namespace carrel;

namespace {

struct Rig {
    SystemClock clock;
    std::unique_ptr<EventLoop> loop = EventLoop::create(clock).value();
    std::string heard;

    std::unique_ptr<SignalWatch> watch(std::initializer_list<int> numbers) {
        return SignalWatch::create(*loop, numbers,
                                   [this](int number) {
                                       heard += ::sigabbrev_np(number);
                                       heard += ' ';
                                   })
            .value();
    }
    std::string after(Nanoseconds time) {
        loop->after(time, [this] { loop->stop(); });
        loop->run();
        return std::exchange(heard, "");
    }
};

bool readable(int fd) {
    pollfd ready{fd, POLLIN, 0};
    return ::poll(&ready, 1, 0) == 1;
}

}  // namespace

TEST_CASE("signals: each watch hears of its own, once for several that come at once") {
    Rig rig;
    const auto ends = rig.watch({SIGTERM, SIGHUP});
    const auto window = rig.watch({SIGWINCH});
    CHECK_FALSE(readable(ends->fd()));
    ::raise(SIGHUP);
    ::raise(SIGTERM);
    ::raise(SIGTERM);
    CHECK(readable(ends->fd()));
    CHECK_FALSE(readable(window->fd()));
    CHECK(rig.after(10 * kMillisecond) == "HUP TERM ");
    CHECK_FALSE(readable(ends->fd()));
}

TEST_CASE("signals: what another thread or process sends wakes the loop") {
    Rig rig;
    const auto watch = rig.watch({SIGTERM});
    auto sender = Thread::start("sender", [] { ::kill(::getpid(), SIGTERM); });
    REQUIRE(sender.ok());
    CHECK(rig.after(200 * kMillisecond) == "TERM ");
}

TEST_CASE("signals: one that comes after the watch doesn't end the process") {
    Rig rig;
    { const auto watch = rig.watch({SIGUSR2}); }
    ::raise(SIGUSR2);  // which would end it
    sigset_t waiting;
    REQUIRE(::sigpending(&waiting) == 0);
    CHECK(::sigismember(&waiting, SIGUSR2) == 1);
    std::signal(SIGUSR2, SIG_IGN);  // and it is gone
}

TEST_CASE("signals: one that was ignored stays so, and a watch that ends leaves the others their default") {
    Rig rig;
    std::signal(SIGHUP, SIG_IGN);
    {
        const auto watch = rig.watch({SIGHUP, SIGWINCH});
        ::raise(SIGHUP);
        ::raise(SIGWINCH);
        CHECK_FALSE(readable(rig.watch({SIGUSR1})->fd()));
    }
    struct sigaction now {};
    REQUIRE(::sigaction(SIGHUP, nullptr, &now) == 0);
    CHECK(now.sa_handler == SIG_IGN);
    REQUIRE(::sigaction(SIGWINCH, nullptr, &now) == 0);
    CHECK(now.sa_handler == SIG_DFL);
    std::signal(SIGHUP, SIG_DFL);
}
