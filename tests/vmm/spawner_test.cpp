#include "vmm/base/spawner.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fstream>

#include "tests/catch.h"

namespace carrel {
namespace {

struct Pipe {
    Fd reader, writer;
    Pipe() {
        std::array<int, 2> fds{};
        REQUIRE(::pipe2(fds.data(), O_CLOEXEC) == 0);
        reader.reset(fds[0]);
        writer.reset(fds[1]);
    }
    std::string drain() {
        writer.reset();
        std::string text;
        std::array<char, 512> some{};
        for (ssize_t n = 0; (n = ::read(reader.get(), some.data(), some.size())) > 0;)
            text.append(some.data(), static_cast<size_t>(n));
        return text;
    }
};

bool readable(int fd, int milliseconds) {
    pollfd entry{fd, POLLIN, 0};
    return ::poll(&entry, 1, milliseconds) == 1;
}

constexpr int kSoon = 10'000;  // milliseconds

// What `script` says on its standard output, with these descriptors besides.
std::string output_of(const std::string& script, std::vector<Inherited> inherited = {}) {
    Pipe out;
    inherited.push_back({out.writer.get(), 1});
    auto child = DirectSpawner().spawn({"sh", "-c", script}, inherited);
    REQUIRE(child.ok());
    return out.drain();
}

std::string wait_for(Child& child) {
    REQUIRE(readable(child.pidfd(), kSoon));
    return child.ended().value();
}

}  // namespace

TEST_CASE("a child has the descriptors that it was given, and no others") {
    // Neither of these two closes by itself in a child.
    const Fd stray(::memfd_create("stray", 0));
    const Fd high(::fcntl(stray.get(), F_DUPFD, 200));
    REQUIRE(high.get() >= 200);
    // The shell has 3 open itself, to read that folder.
    const std::string list = "cd /proc/self/fd && echo *";
    CHECK(output_of(list) == "0 1 2 3\n");
    CHECK(output_of(list, {{stray.get(), 7}}) == "0 1 2 3 7\n");
    CHECK(output_of("readlink /proc/self/fd/0 /proc/self/fd/2") == "/dev/null\n/dev/null\n");
}

TEST_CASE("a child's numbers may be ours of other descriptors") {
    Pipe a, b;
    const std::vector<Inherited> swapped{{a.writer.get(), b.writer.get()}, {b.writer.get(), a.writer.get()}};
    const std::string to_a = "echo a >&" + std::to_string(b.writer.get());
    const std::string to_b = "echo b >&" + std::to_string(a.writer.get());
    output_of(to_a + "; " + to_b, swapped);
    CHECK(a.drain() == "a\n");
    CHECK(b.drain() == "b\n");
}

TEST_CASE("a command that can't be started says why") {
    const auto nowhere = DirectSpawner().spawn({"no-such-program-of-ours"}, {});
    REQUIRE(!nowhere.ok());
    CHECK(nowhere.error().what == "cannot start no-such-program-of-ours: it is in no folder of PATH");

    const auto absent = DirectSpawner().spawn({"/no/such/program"}, {});
    REQUIRE(!absent.ok());
    CHECK(absent.error().what ==
          "cannot start /no/such/program (/no/such/program): No such file or directory");

    std::array<char, 32> name{"/tmp/spawner-test-XXXXXX"};
    const Fd file(::mkstemp(name.data()));
    REQUIRE(::write(file.get(), "no program", 10) == 10);
    const auto refused = DirectSpawner().spawn({name.data()}, {});
    REQUIRE(!refused.ok());
    CHECK(refused.error().what.ends_with("Permission denied"));
    ::unlink(name.data());

    const auto closed = DirectSpawner().spawn({"true"}, std::vector<Inherited>{{999, 5}});
    REQUIRE(!closed.ok());
    CHECK(closed.error().what == "cannot start true (its descriptors): Bad file descriptor");
}

TEST_CASE("a child tells when and how it ended") {
    Child exits = DirectSpawner().spawn({"sh", "-c", "exit 3"}, {}).value();
    CHECK(wait_for(exits) == "exited with status 3");
    CHECK(!exits.ended());

    Child sleeps = DirectSpawner().spawn({"sleep", "1000"}, {}).value();
    CHECK(!readable(sleeps.pidfd(), 0));
    CHECK(!sleeps.ended());
    sleeps.kill();
    CHECK(wait_for(sleeps) == "was ended by signal 9 (Killed)");
}

TEST_CASE("a child goes with its owner, and leaves no zombie") {
    pid_t pid = -1;
    {
        const Child child = DirectSpawner().spawn({"sleep", "1000"}, {}).value();
        pid = child.pid();
        CHECK(::kill(pid, 0) == 0);
    }
    CHECK(::kill(pid, 0) == -1);
    CHECK(errno == ESRCH);
}

TEST_CASE("signals are as a program expects them, whatever we do with ours") {
    const auto before = std::signal(SIGPIPE, SIG_IGN);
    sigset_t all, old;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &old);
    Child child = DirectSpawner().spawn({"sh", "-c", "kill -PIPE $$; exit 0"}, {}).value();
    ::pthread_sigmask(SIG_SETMASK, &old, nullptr);
    (void)std::signal(SIGPIPE, before);
    CHECK(wait_for(child) == "was ended by signal 13 (Broken pipe)");
}

TEST_CASE("no key of our terminal reaches a child") {
    CHECK(output_of("cut -d' ' -f6 /proc/$$/stat | { read s; [ $s = $$ ] && echo leads; }") == "leads\n");
}

TEST_CASE("children die with us, also by kill -9") {
    Pipe tell;
    const pid_t middle = ::fork();
    REQUIRE(middle >= 0);
    if (middle == 0) {
        const auto child = DirectSpawner().spawn({"sleep", "1000"}, {});
        const pid_t pid = child.ok() ? child->pid() : -1;
        if (::write(tell.writer.get(), &pid, sizeof pid) != sizeof pid) ::_exit(1);
        ::pause();
    }
    pid_t sleeper = -1;
    REQUIRE(::read(tell.reader.get(), &sleeper, sizeof sleeper) == sizeof sleeper);
    REQUIRE(sleeper > 0);
    const Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, sleeper, 0)));
    REQUIRE(pidfd.valid());
    CHECK(!readable(pidfd.get(), 50));
    REQUIRE(::kill(middle, SIGKILL) == 0);
    CHECK(readable(pidfd.get(), kSoon));
    ::waitpid(middle, nullptr, 0);
}

}  // namespace carrel
