// Two consoles on one terminal: nothing twice, nothing lost.
#include "devices/backends/console_handover.h"

#include <string>
#include <string_view>

#include "tests/catch.h"
#include "tests/devices/fakes.h"

using namespace carrel;
using carrel::test::FakeSink;

namespace {

struct Side {
    void first(std::string_view text) { handover.first().write(std::as_bytes(std::span(text))); }
    void second(std::string_view text) { handover.second().write(std::as_bytes(std::span(text))); }
    FakeSink sink;
    ConsoleHandover handover{sink};
};
constexpr std::string_view kLog =
    "[    0.000000] Linux version\r\n[    0.000000] Command line\r\n[    1.000000] Memory\r\n";

}  // namespace

TEST_CASE("handover: the first is shown until the second speaks, and never after") {
    Side side;
    side.first("one\r\n");
    CHECK(side.sink.text == "one\r\n");
    side.second("two\r\n");
    side.first("lost\r\n");
    side.second("three\r\n");
    CHECK(side.sink.text == "one\r\ntwo\r\nthree\r\n");
}

TEST_CASE("handover: a log that comes again is left out, in pieces of any size, and what follows is shown") {
    const size_t piece = GENERATE(size_t{1}, size_t{2}, size_t{16}, size_t{31}, size_t{1000});
    Side side;
    side.first(kLog);
    const std::string again = std::string(kLog) + "[    2.000000] new\r\nlogin: ";
    for (size_t at = 0; at < again.size(); at += piece)
        side.second(std::string_view(again).substr(at, piece));
    CHECK(side.sink.text == again);
}

TEST_CASE("handover: a line that only begins like the first one's is shown whole") {
    const size_t piece = GENERATE(size_t{1}, size_t{5}, size_t{1000});
    Side side;
    side.first(kLog);
    const std::string other = "[    0.000000] Linux is here\r\n";
    for (size_t at = 0; at < other.size(); at += piece)
        side.second(std::string_view(other).substr(at, piece));
    CHECK(side.sink.text == std::string(kLog) + other);
}

TEST_CASE("handover: a repetition that stops in the middle: from its first other line on all is shown") {
    Side side;
    side.first(kLog);
    side.second("[    0.000000] Linux version\r\n[    0.000000] Common\r\n[    1.000000] Memory\r\n");
    CHECK(side.sink.text == std::string(kLog) + "[    0.000000] Common\r\n[    1.000000] Memory\r\n");
}

TEST_CASE("handover: with nothing said before, everything is shown at once") {
    Side side;
    side.second("a");
    CHECK(side.sink.text == "a");
    side.second("");
    side.first("b");
    CHECK(side.sink.text == "a");
}

TEST_CASE("handover: the first may end in the middle of a line") {
    Side side;
    side.first("one\r\ntw");
    side.second("one\r\ntwo\r\n");
    CHECK(side.sink.text == "one\r\ntwo\r\n");
}

TEST_CASE("handover: what is remembered is bounded, and what is shown isn't") {
    Side side;
    const std::string much(ConsoleHandover::kRemembered + 5000, 'x');
    side.first(much);
    CHECK(side.sink.text.size() == much.size());
    side.sink.text.clear();
    side.second(much);
    CHECK(side.sink.text.size() == 5000);
}
