#include "vmm/host/console_transcript.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <thread>

#include "tests/catch.h"

using namespace carrel;

namespace {

std::span<const std::byte> bytes(std::string_view text) {
    return std::as_bytes(std::span(text));
}

struct Watcher : ConsoleWatcher {
    void on_output() override { ++told; }
    std::atomic<int> told{0};
};

}  // namespace

TEST_CASE("transcript: who comes later reads what was said, and is told of more once") {
    ConsoleTranscript transcript;
    transcript.write(bytes("before"));
    Watcher watcher;
    transcript.watch(watcher);
    std::array<std::byte, 64> into{};
    CHECK(transcript.read(transcript.begin(), into).size == 6);
    CHECK(watcher.told == 0);
    transcript.write(bytes("more"));
    transcript.write(bytes("and more"));
    CHECK(watcher.told == 1);
    CHECK(transcript.read(6, into).size == 12);
    transcript.write(bytes("!"));
    CHECK(watcher.told == 2);
    transcript.unwatch(watcher);
    (void)transcript.read(0, into);
    transcript.write(bytes("!"));
    CHECK(watcher.told == 2);
}

TEST_CASE("transcript: a reader that only reads when it is told misses nothing") {
    struct Wake : ConsoleWatcher {
        void on_output() override {
            raised = true;
            raised.notify_one();
        }
        std::atomic<bool> raised{true};
    } wake;
    ConsoleTranscript transcript;
    transcript.watch(wake);
    constexpr unsigned kBytes = 60'000;  // less than is kept: the reader may be slow
    std::thread writer([&] {
        for (unsigned i = 0; i < kBytes; ++i) {
            const std::byte one{static_cast<uint8_t>(i)};
            transcript.write(std::span(&one, 1));
        }
    });
    uint64_t position = 0;
    bool right = true;
    while (position < kBytes) {
        wake.raised.wait(false);
        wake.raised = false;
        std::array<std::byte, 512> into{};
        while (const size_t size = transcript.read(position, into).size) {
            for (size_t i = 0; i < size; ++i)
                right = right && into[i] == std::byte{static_cast<uint8_t>(position + i)};
            position += size;
        }
    }
    writer.join();
    CHECK(right);
    CHECK(position == kBytes);
}
