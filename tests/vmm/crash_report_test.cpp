// A fault of our own says where it was. In a child, by a page that isn't there: a sanitizer takes no SIGBUS.
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <string>

#include "tests/catch.h"
#include "vmm/base/crash_registry.h"
#include "vmm/base/fd.h"

using namespace carrel;

namespace {

struct End {
    int status;
    std::string said;
};

// How a process ends that calls `fault`, and what it says on stderr.
End end_of(void (*fault)()) {
    std::array<int, 2> ends{};
    REQUIRE(::pipe(ends.data()) == 0);
    const Fd reader(ends[0]);
    Fd writer(ends[1]);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        ::dup2(writer.get(), STDERR_FILENO);
        ::signal(SIGBUS, SIG_DFL);  // Catch2's
        crash_registry::install_sigbus_handler();
        fault();
        ::_exit(0);
    }
    writer = Fd();
    std::string said;
    std::array<char, 512> part{};
    for (ssize_t got = 0; (got = ::read(reader.get(), part.data(), part.size())) > 0;)
        said.append(part.data(), static_cast<size_t>(got));
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    return {status, said};
}

void touch_what_is_cut_off() {
    const Fd file(::memfd_create("cut", 0));
    const auto* const page =
        static_cast<const volatile std::byte*>(::mmap(nullptr, 4096, PROT_READ, MAP_SHARED, file.get(), 0));
    (void)*page;
}

}  // namespace

TEST_CASE("a fault of our own names signal, thread and place, and ends the process by that signal") {
    const End end = end_of(touch_what_is_cut_off);
    CAPTURE(end.said);
    CHECK((WIFSIGNALED(end.status) && WTERMSIG(end.status) == SIGBUS));
    CHECK(end.said.find("carrel: bug: SIGBUS (code 2) in thread ") != std::string::npos);
    CHECK(end.said.find(", at carrel+0x") != std::string::npos);
}

TEST_CASE("a signal that somebody sends is no fault of ours: nothing is said") {
    const End end = end_of([] { ::raise(SIGBUS); });
    CHECK((WIFSIGNALED(end.status) && WTERMSIG(end.status) == SIGBUS));
    CHECK(end.said.empty());
}
