#include "vmm/base/stream_fd.h"

#include <sys/stat.h>
#include <sys/wait.h>

#include <functional>

#include "devices/backends/console_file.h"
#include "devices/backends/standard_streams.h"
#include "tests/backends/helpers.h"

using namespace carrel;
using namespace carrel::test;

namespace {

// A pipe that can't be opened a second time, as one of another user's can't: in a child without permission to
// it.
int in_child_as_nobody(const std::function<int()>& body) {
    const pid_t child = ::fork();
    if (child == 0) {
        constexpr uid_t kNobody = 65534;
        if (::setgid(kNobody) != 0 || ::setuid(kNobody) != 0) ::_exit(77);
        ::_exit(body());
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFEXITED(status));
    return WEXITSTATUS(status);
}

// Fills the pipe and goes on: how many bytes were taken before EAGAIN.
size_t write_until_full(StreamFd& target) {
    const std::string block(4096, 'f');
    size_t taken = 0;
    while (true) {
        const auto outcome = target.write(bytes_of(block));
        taken += outcome.count;
        if (outcome.error == EAGAIN) return taken;
        if (outcome.error != 0) return 0;
    }
}

struct TemporaryDirectory {
    std::string path = "/tmp/carrel-backends-XXXXXX";
    TemporaryDirectory() { REQUIRE(::mkdtemp(path.data()) != nullptr); }
    ~TemporaryDirectory() {
        for (const char* name : {"/console", "/fifo"}) ::unlink((path + name).c_str());
        ::rmdir(path.c_str());
    }
};

}  // namespace

TEST_CASE("a full pipe or socket never blocks, and O_NONBLOCK isn't left on it") {
    SECTION("a pipe") {
        Pipe pipe;
        auto target = StreamFd::borrow(pipe.writer.get(), StreamFd::Use::kWrite).value();
        CHECK(write_until_full(target) == 65536);
        CHECK_FALSE(is_nonblocking(pipe.writer.get()));
    }
    SECTION("a socket") {
        SocketPair pair;
        auto target = StreamFd::borrow(pair.a.get(), StreamFd::Use::kWrite).value();
        CHECK(write_until_full(target) > 0);
        CHECK_FALSE(is_nonblocking(pair.a.get()));
    }
    SECTION("another user's pipe, which can't be opened again") {
        if (::getuid() != 0) {
            WARN("skipped: needs root, to become another user");
            return;
        }
        Pipe pipe;
        const int result = in_child_as_nobody([&] {
            auto target = StreamFd::borrow(pipe.writer.get(), StreamFd::Use::kWrite).value();
            return write_until_full(target) == 65536 ? 0 : 1;
        });
        CHECK(result == 0);
        CHECK_FALSE(is_nonblocking(pipe.writer.get()));
        const int input = in_child_as_nobody([&] {
            auto source = StreamFd::borrow(pipe.reader.get(), StreamFd::Use::kRead).value();
            std::array<std::byte, 65536> buffer{};
            const auto got = source.read(buffer);
            return got.count == 65536 && source.read(buffer).error == EAGAIN ? 0 : 1;
        });
        CHECK(input == 0);
        CHECK_FALSE(is_nonblocking(pipe.reader.get()));
    }
}

TEST_CASE("O_NONBLOCK that somebody else has set stays set") {
    Pipe pipe;
    ::fcntl(pipe.writer.get(), F_SETFL, O_NONBLOCK);
    auto target = StreamFd::borrow(pipe.writer.get(), StreamFd::Use::kWrite).value();
    CHECK(write_until_full(target) == 65536);
    CHECK(is_nonblocking(pipe.writer.get()));
}

TEST_CASE("a console file is emptied, its owner's, and written at its end") {
    const TemporaryDirectory directory;
    const std::string path = directory.path + "/console";
    DirectOpener opener;
    {
        auto first = open_console_file(opener, path);
        REQUIRE(first.ok());
        CHECK(first->write(bytes_of("first run, long")).count == 15);
    }
    struct stat status {};
    REQUIRE(::stat(path.c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
    auto second = open_console_file(opener, path);
    REQUIRE(second.ok());
    CHECK_FALSE(second->pollable());
    CHECK(second->write(bytes_of("second")).count == 6);
    REQUIRE(::truncate(path.c_str(), 0) == 0);  // rotated
    CHECK(second->write(bytes_of("third")).count == 5);
    const Fd file(::open(path.c_str(), O_RDONLY));
    CHECK(read_all(file.get()) == "third");
}

TEST_CASE("a console file that can't be is a sentence that says which and why") {
    const TemporaryDirectory directory;
    DirectOpener opener;
    const std::string fifo = directory.path + "/fifo";
    REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
    for (const std::string& path : {directory.path, directory.path + "/no/such", fifo, std::string()}) {
        const auto file = open_console_file(opener, path);
        INFO(path);
        REQUIRE_FALSE(file.ok());
        CHECK(file.error().fault == Fault::kUsage);
        CHECK(file.error().sentence().find(path) != std::string::npos);
        CHECK_FALSE(file.error().advice.empty());
    }
}

TEST_CASE("closed standard streams become /dev/null, open ones stay") {
    const pid_t child = ::fork();
    if (child == 0) {
        struct stat before {};
        ::fstat(2, &before);
        ::close(0);
        ::close(1);
        DirectOpener opener;
        bool good = fill_standard_streams(opener).ok();
        struct stat now {};
        for (const int fd : {0, 1}) {
            good = good && ::fstat(fd, &now) == 0 && S_ISCHR(now.st_mode) && ::fcntl(fd, F_GETFD) == 0;
        }
        char byte = 0;
        good = good && ::read(0, &byte, 1) == 0 && ::write(1, "x", 1) == 1;
        good = good && ::fstat(2, &now) == 0 && now.st_ino == before.st_ino;
        ::_exit(good ? 0 : 1);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
}
