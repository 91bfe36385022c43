#include "devices/backends/console_buffer.h"

#include <fmt/format.h>

#include <random>
#include <string>

#include "tests/backends/helpers.h"

using namespace carrel;
using namespace carrel::test;

namespace {

constexpr size_t kHalf = ConsoleBuffer::kHalf;

std::string notice(uint64_t count) {
    return fmt::format("\r\n[carrel: {} bytes of console output dropped]\r\n", count);
}

// Takes at most `most` bytes out, in pieces of at most `piece`.
std::string take(ConsoleBuffer& buffer, size_t most = ~size_t{0}, size_t piece = ~size_t{0}) {
    std::string text;
    while (text.size() < most && !buffer.front().empty()) {
        const auto front = buffer.front();
        const size_t count = std::min({front.size(), most - text.size(), piece});
        text.append(reinterpret_cast<const char*>(front.data()), count);
        buffer.pop(count);
    }
    return text;
}

std::string numbered(size_t size) {
    std::string text;
    for (int i = 0; text.size() < size; ++i) text += fmt::format("{} ", i);
    return text.substr(0, size);
}

}  // namespace

TEST_CASE("up to both halves nothing is dropped; one byte more costs the oldest byte of the tail") {
    const std::string text = numbered(2 * kHalf + 1);
    ConsoleBuffer buffer;
    buffer.push(bytes_of(text.substr(0, 2 * kHalf)));
    SECTION("full") {
        CHECK(take(buffer) == text.substr(0, 2 * kHalf));
        CHECK(buffer.dropped() == 0);
    }
    SECTION("one too many") {
        buffer.push(bytes_of(text.substr(2 * kHalf)));
        CHECK(buffer.dropped() == 1);
        CHECK(take(buffer, ~size_t{0}, 3) == text.substr(0, kHalf) + notice(1) + text.substr(kHalf + 1));
        CHECK(buffer.empty());
        buffer.push(bytes_of("more"));
        CHECK(take(buffer) == "more");
    }
}

TEST_CASE("the span in front stays as it is while the guest goes on writing") {
    ConsoleBuffer buffer;
    buffer.push(bytes_of("first"));
    const auto front = buffer.front();
    buffer.push(bytes_of(numbered(1'000'000)));
    CHECK(std::string(reinterpret_cast<const char*>(front.data()), front.size()) == "first");
    buffer.pop(front.size());
    CHECK(take(buffer, 6) == "0 1 2 ");
}

TEST_CASE("keeping the last bytes drops all before them, with a line that counts") {
    const std::string text = numbered(200'000);
    ConsoleBuffer buffer;
    buffer.push(bytes_of(text));
    CHECK(take(buffer, 1000) == text.substr(0, 1000));
    buffer.keep_last(5000);
    CHECK(take(buffer) == notice(text.size() - 6000) + text.substr(text.size() - 5000));
    CHECK(buffer.dropped() == text.size() - 6000);
    buffer.push(bytes_of("short"));
    buffer.keep_last(5);
    CHECK(take(buffer) == "short");
}

TEST_CASE("whatever is written and taken, in order and complete but for what the lines count") {
    std::mt19937 random(7);
    ConsoleBuffer buffer;
    std::string written;
    std::string taken;
    for (int i = 0; i < 4000; ++i) {
        const size_t size = random() % (i % 50 == 0 ? 400'000 : 3000);
        std::string piece;
        for (size_t at = written.size(); piece.size() < size; ++at)
            piece += static_cast<char>('a' + at % 23 % 26);
        piece = piece.substr(0, size);
        written += piece;
        buffer.push(bytes_of(piece));
        if (random() % 2 == 0) taken += take(buffer, random() % 100'000, 1 + random() % 70'000);
        REQUIRE(buffer.written() == buffer.delivered() + buffer.dropped() + buffer.pending());
    }
    taken += take(buffer);
    // Replay: each line about dropped bytes skips that many of what was written.
    constexpr std::string_view kBegin = "\r\n[carrel: ";
    size_t at = 0;
    size_t position = 0;
    while (position < taken.size()) {
        if (taken.compare(position, kBegin.size(), kBegin) == 0) {
            at += std::stoull(taken.substr(position + kBegin.size(), 20));
            position = taken.find("]\r\n", position) + 3;
            continue;
        }
        const size_t next = std::min(taken.find('\r', position), taken.size());
        REQUIRE(taken.compare(position, next - position, written, at, next - position) == 0);
        at += next - position;
        position = next;
    }
    CHECK(at == written.size());
}
