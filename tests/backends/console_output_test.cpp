#include "devices/backends/console_output.h"

#include <sys/stat.h>

#include <string>

#include "tests/backends/helpers.h"

using namespace carrel;
using namespace carrel::test;

namespace {

StreamFd borrow(int fd) {
    return StreamFd::borrow(fd, StreamFd::Use::kWrite).value();
}

// Numbered lines, so that what arrived can be told from what didn't.
std::string line(int number) {
    return fmt::format("line {:08d}\r\n", number);
}

// The sum of what the lines about dropped bytes say; removes them from `text`.
uint64_t take_notices(std::string& text) {
    constexpr std::string_view kBegin = "\r\n[carrel: ";
    uint64_t sum = 0;
    for (size_t at = text.find(kBegin); at != std::string::npos; at = text.find(kBegin)) {
        sum += std::stoull(text.substr(at + kBegin.size()));
        text.erase(at, text.find("]\r\n", at) + 3 - at);
    }
    return sum;
}

struct Fixture {
    LoopThread loop;
    Log log{2, LogLevel::kError};
    std::unique_ptr<ConsoleOutput> output;
    explicit Fixture(StreamFd target)
        : output(ConsoleOutput::create(loop.loop(), std::move(target), log).value()) {
        loop.start();
    }
    ~Fixture() { loop.stop(); }
};

}  // namespace

TEST_CASE("a prompt appears at once, byte by byte output in order") {
    Pipe pipe;
    Fixture f(borrow(pipe.writer.get()));
    f.output->write(bytes_of("# "));
    CHECK(read_some(pipe.reader.get(), 2) == "# ");
    for (const char c : std::string("echo hello\r\n")) f.output->write(bytes_of({&c, 1}));
    CHECK(read_some(pipe.reader.get(), 12) == "echo hello\r\n");
    CHECK_FALSE(is_nonblocking(pipe.writer.get()));
}

TEST_CASE("a reader that never reads stalls nobody; delivered and dropped add up, the last lines come") {
    Pipe pipe;
    Fixture f(borrow(pipe.writer.get()));
    std::string written;
    for (int i = 0; i < 100'000; ++i) {
        written += line(i);
        f.output->write(bytes_of(line(i)));
    }
    std::string got;
    std::thread reader([&] { got = read_all(pipe.reader.get()); });
    CHECK(f.output->drain() == 0);
    const auto counts = f.output->counts();
    f.loop.stop();
    f.output.reset();
    pipe.writer.reset();
    reader.join();

    const uint64_t told = take_notices(got);
    CHECK(told > 0);
    CHECK(counts.written == written.size());
    CHECK(counts.dropped == told);
    CHECK(counts.delivered == got.size());
    CHECK(got.size() + told == written.size());
    CHECK(got.substr(0, 64 * 1024) == written.substr(0, 64 * 1024));
    CHECK(got.substr(got.size() - 64 * 1024) == written.substr(written.size() - 64 * 1024));
}

TEST_CASE("100 MB pass in bounded time, whatever the reader") {
    Pipe pipe;
    Fixture f(borrow(pipe.writer.get()));
    std::string got;
    std::thread reader([&] { got = read_all(pipe.reader.get()); });
    const std::string block(4096, 'x');
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < 100'000'000 / 4096; ++i) f.output->write(bytes_of(block));
    f.output->write(bytes_of("the end\r\n"));
    CHECK(f.output->drain() == 0);
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(20));
    f.loop.stop();
    const auto counts = f.output->counts();
    f.output.reset();
    pipe.writer.reset();
    reader.join();
    CHECK(take_notices(got) == counts.dropped);
    CHECK(got.size() + counts.dropped == counts.written);
    CHECK(got.substr(got.size() - 9) == "the end\r\n");
}

TEST_CASE("a closed reader ends the output at once, and drain doesn't wait") {
    Pipe pipe;
    Fixture f(borrow(pipe.writer.get()));
    pipe.reader.reset();
    f.output->write(bytes_of("nobody reads this"));
    const auto begin = std::chrono::steady_clock::now();
    CHECK(f.output->drain() == 0);
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::milliseconds(500));
    CHECK(f.output->reader_gone());
    f.output->write(bytes_of("nor this"));
    const auto counts = f.output->counts();
    CHECK(counts.written == 25);
    CHECK(counts.dropped == 25);
    const Nanoseconds before = f.loop.cpu_time();
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    CHECK(f.loop.cpu_time() - before < 20 * kMillisecond);  // nothing spins
}

TEST_CASE("a reader that stops is waited for no longer than allowed") {
    Pipe pipe;
    Fixture f(borrow(pipe.writer.get()));
    const std::string much(300'000, 'y');
    f.output->write(bytes_of(much));
    const auto begin = std::chrono::steady_clock::now();
    CHECK(f.output->drain(400 * kMillisecond) > 0);
    const auto took = std::chrono::steady_clock::now() - begin;
    CHECK(took >= std::chrono::milliseconds(390));
    CHECK(took < std::chrono::milliseconds(1500));
}

TEST_CASE("a slow reader gets the last lines within the time") {
    Pipe pipe;
    Fixture f(borrow(pipe.writer.get()));
    for (int i = 0; i < 20'000; ++i) f.output->write(bytes_of(line(i)));
    std::string got;
    std::thread reader([&] {  // about 200 KB/s; 256 KiB and the full pipe are more than 1 s of it
        std::array<char, 2048> buffer{};
        for (ssize_t count = 1; count > 0;) {
            count = ::read(pipe.reader.get(), buffer.data(), buffer.size());
            if (count > 0) got.append(buffer.data(), static_cast<size_t>(count));
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
    });
    CHECK(f.output->drain(kSecond) == 0);
    f.loop.stop();
    const auto counts = f.output->counts();
    f.output.reset();
    pipe.writer.reset();
    reader.join();
    CHECK(take_notices(got) == counts.dropped);
    CHECK(got.size() + counts.dropped == counts.written);
    CHECK(got.substr(got.size() - line(0).size()) == line(19'999));
}

TEST_CASE("output goes to files, sockets, /dev/null and /dev/full alike") {
    SECTION("a regular file, at the shared offset") {
        std::string path = "/tmp/carrel-output-XXXXXX";
        const Fd file(::mkstemp(path.data()));
        REQUIRE(::write(file.get(), "before\n", 7) == 7);
        {
            Fixture f(borrow(file.get()));
            f.output->write(bytes_of("from the guest\n"));
            CHECK(f.output->drain() == 0);
        }
        REQUIRE(::write(file.get(), "after\n", 6) == 6);
        ::lseek(file.get(), 0, SEEK_SET);
        CHECK(read_all(file.get()) == "before\nfrom the guest\nafter\n");
        ::unlink(path.c_str());
    }
    SECTION("a socket, and one whose peer has gone") {
        SocketPair pair;
        Fixture f(borrow(pair.a.get()));
        f.output->write(bytes_of("hello"));
        CHECK(read_some(pair.b.get(), 5) == "hello");
        CHECK_FALSE(is_nonblocking(pair.a.get()));
        pair.b.reset();
        f.output->write(bytes_of("hello"));
        CHECK(f.output->drain() == 0);
        CHECK(f.output->reader_gone());
    }
    SECTION("/dev/null takes everything") {
        const Fd null(::open("/dev/null", O_WRONLY));
        Fixture f(borrow(null.get()));
        f.output->write(bytes_of(std::string(1'000'000, 'n')));
        CHECK(f.output->drain() == 0);
        CHECK_FALSE(f.output->reader_gone());
    }
    SECTION("a full disk is told once and drops the rest") {
        Pipe told;
        {
            LoopThread loop;
            Log log(told.writer.get(), LogLevel::kWarning);  // has a description of its own
            const Fd full(::open("/dev/full", O_WRONLY));
            auto output = ConsoleOutput::create(loop.loop(), borrow(full.get()), log).value();
            for (int i = 0; i < 3; ++i) {
                output->write(bytes_of("x"));
                CHECK(output->drain() == 0);
            }
        }
        told.writer.reset();
        const std::string text = read_all(told.reader.get());
        CHECK(text.find("No space left on device") != std::string::npos);
        CHECK(std::count(text.begin(), text.end(), '\n') == 1);
    }
}

TEST_CASE("a descriptor that isn't open is a sentence") {
    const auto fd = StreamFd::borrow(987, StreamFd::Use::kWrite);
    REQUIRE_FALSE(fd.ok());
    CHECK(fd.error().sentence() == "cannot use descriptor 987: Bad file descriptor");
}

TEST_CASE("writing from several threads loses nothing that isn't counted") {
    Pipe pipe;
    Fixture f(borrow(pipe.writer.get()));
    std::string got;
    std::thread reader([&] { got = read_all(pipe.reader.get()); });
    std::vector<std::thread> writers;
    for (int w = 0; w < 4; ++w) {
        writers.emplace_back([&] {
            for (int i = 0; i < 20'000; ++i) f.output->write(bytes_of(line(i)));
        });
    }
    for (auto& writer : writers) writer.join();
    CHECK(f.output->drain() == 0);
    f.loop.stop();
    const auto counts = f.output->counts();
    f.output.reset();
    pipe.writer.reset();
    reader.join();
    CHECK(take_notices(got) == counts.dropped);
    CHECK(counts.written == 4 * 20'000 * line(0).size());
    CHECK(got.size() + counts.dropped == counts.written);
}
