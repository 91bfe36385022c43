#include "devices/backends/console_history.h"

#include <fmt/format.h>

#include <string>

#include "devices/backends/tee_sink.h"
#include "tests/backends/helpers.h"

using namespace carrel;
using namespace carrel::test;

namespace {
std::string read_from(const ConsoleHistory& history, uint64_t position, size_t most = 100'000) {
    std::string text(most, '\0');
    text.resize(history.read(position, std::as_writable_bytes(std::span(text))).size);
    return text;
}
}  // namespace

TEST_CASE("the last 64 KiB can be read again from any position, to the byte") {
    ConsoleHistory history;
    std::string all;
    for (int i = 0; i < 30'000; ++i) {
        const std::string piece = fmt::format("{}\r\n", i);
        all += piece;
        history.write(bytes_of(piece));
        if (i % 997 == 0) {
            const size_t kept = std::min(all.size(), ConsoleHistory::kSize);
            REQUIRE(history.end() == all.size());
            REQUIRE(history.begin() == all.size() - kept);
            REQUIRE(read_from(history, 0) == all.substr(all.size() - kept));
            REQUIRE(read_from(history, history.end() - 1) == "\n");
        }
    }
    CHECK(history.read(0, {}).position == history.begin());
    CHECK(read_from(history, history.end()).empty());
    CHECK(read_from(history, ~uint64_t{0}).empty());
}

TEST_CASE("whoever reads on from its position loses and repeats nothing, across detaching") {
    ConsoleHistory history;
    std::string all;
    std::string seen;
    uint64_t position = 0;
    for (int i = 0; i < 5000; ++i) {
        const std::string piece(static_cast<size_t>(i % 100), static_cast<char>('a' + i % 26));
        all += piece;
        history.write(bytes_of(piece));
        if (i % 700 > 100) continue;  // detached; less than 64 KiB pass meanwhile
        std::string text(100'000, '\0');
        const auto got = history.read(position, std::as_writable_bytes(std::span(text)));
        REQUIRE(got.position == position);
        seen += text.substr(0, got.size);
        position += got.size;
    }
    seen += read_from(history, position);
    CHECK(seen == all);
}

TEST_CASE("one write longer than the history leaves its end") {
    ConsoleHistory history;
    history.write(bytes_of("before"));
    const std::string much = std::string(100'000, 'x') + "the end";
    history.write(bytes_of(much));
    CHECK(history.end() == 6 + much.size());
    CHECK(read_from(history, 0) == much.substr(much.size() - ConsoleHistory::kSize));
}

TEST_CASE("the last lines, ended or not") {
    ConsoleHistory history;
    CHECK(history.last_lines(3).empty());
    history.write(bytes_of("one"));
    CHECK(history.last_lines(1) == "one");
    history.write(bytes_of("\r\ntwo\r\n\r\nfour\r\n"));
    CHECK(history.last_lines(0).empty());
    CHECK(history.last_lines(1) == "four\n");
    CHECK(history.last_lines(2) == "\nfour\n");
    CHECK(history.last_lines(4) == "one\ntwo\n\nfour\n");
    CHECK(history.last_lines(100) == "one\ntwo\n\nfour\n");
    history.write(bytes_of("# "));
    CHECK(history.last_lines(2) == "four\n# ");
}

TEST_CASE("a tee gives every byte to each sink") {
    ConsoleHistory a;
    ConsoleHistory b;
    TeeSink tee({&a, &b});
    tee.write(bytes_of("hello"));
    CHECK(read_from(a, 0) == "hello");
    CHECK(read_from(b, 0) == "hello");
}
