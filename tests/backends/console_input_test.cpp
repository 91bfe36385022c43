#include "devices/backends/console_input.h"

#include <fmt/format.h>
#include <pty.h>

#include <mutex>
#include <string>

#include "tests/backends/helpers.h"

using namespace carrel;
using namespace carrel::test;

namespace {

// A guest with a FIFO of `size` bytes, which takes what is in it when told to. Any thread.
class FakeGuest final : public ByteReceiver {
  public:
    explicit FakeGuest(size_t size) : size_(size) {}
    size_t room() override {
        const std::scoped_lock lock(mutex_);
        return size_ - fifo_.size();
    }
    void receive(std::span<const std::byte> bytes) override {
        const std::scoped_lock lock(mutex_);
        overrun_ = overrun_ || bytes.size() > size_ - fifo_.size();
        fifo_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    }
    // Empties the FIFO, as a guest's driver does, and tells whoever feeds it. False when it was empty.
    bool take(RoomListener& listener) {
        {
            const std::scoped_lock lock(mutex_);
            if (fifo_.empty()) return false;
            taken_ += fifo_;
            fifo_.clear();
        }
        listener.on_room();
        return true;
    }
    std::string all() {
        const std::scoped_lock lock(mutex_);
        return taken_ + fifo_;
    }
    bool overrun() const { return overrun_; }

  private:
    std::mutex mutex_;
    const size_t size_;
    std::string fifo_;
    std::string taken_;
    bool overrun_ = false;
};

class TextSink final : public ByteSink {
  public:
    void write(std::span<const std::byte> bytes) override {
        const std::scoped_lock lock(mutex_);
        text_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    }
    std::string text() {
        const std::scoped_lock lock(mutex_);
        return text_;
    }

  private:
    std::mutex mutex_;
    std::string text_;
};

StreamFd borrow(int fd) {
    return StreamFd::borrow(fd, StreamFd::Use::kRead).value();
}

struct Fixture {
    LoopThread loop;
    std::atomic<int> ends{0};
    std::atomic<int> end_keys{0};
    TextSink help;
    std::unique_ptr<ConsoleInput> input;
    Fixture(StreamFd source, ByteReceiver& guest, Terminal* terminal = nullptr) {
        input = ConsoleInput::create(loop.loop(), std::move(source), guest,
                                     {.terminal = terminal,
                                      .help = &help,
                                      .on_end_key = [this] { ++end_keys; },
                                      .on_end_of_source = [this] { ++ends; }})
                    .value();
        loop.start();
    }
    ~Fixture() { loop.stop(); }
    void nothing_spins() {
        const Nanoseconds before = loop.cpu_time();
        std::this_thread::sleep_for(std::chrono::milliseconds(300));
        CHECK(loop.cpu_time() - before < 30 * kMillisecond);
    }
};

struct PtyPair {
    Fd master;
    Fd slave;
    PtyPair() {
        int m = -1;
        int s = -1;
        REQUIRE(::openpty(&m, &s, nullptr, nullptr, nullptr) == 0);
        master.reset(m);
        slave.reset(s);
    }
};

}  // namespace

TEST_CASE("a pipe's bytes reach the guest, its end is told once, and nothing spins") {
    Pipe pipe;
    FakeGuest guest(1000);
    Fixture f(borrow(pipe.reader.get()), guest);
    REQUIRE(::write(pipe.writer.get(), "hello", 5) == 5);
    CHECK(eventually([&] { return guest.all() == "hello"; }));
    pipe.writer.reset();
    CHECK(eventually([&] { return f.ends == 1; }));
    f.nothing_spins();
    CHECK(f.ends == 1);
    CHECK_FALSE(is_nonblocking(pipe.reader.get()));
}

TEST_CASE("a pipe that ended before anybody waited for it") {
    Pipe pipe;
    REQUIRE(::write(pipe.writer.get(), "early", 5) == 5);
    pipe.writer.reset();
    FakeGuest guest(1000);
    Fixture f(borrow(pipe.reader.get()), guest);
    CHECK(eventually([&] { return f.ends == 1; }));
    CHECK(guest.all() == "early");
}

TEST_CASE("a writer that hangs up while the guest has no room doesn't spin, and loses nothing") {
    Pipe pipe;
    FakeGuest guest(16);
    Fixture f(borrow(pipe.reader.get()), guest);
    const std::string text(20'000, 't');
    REQUIRE(::write(pipe.writer.get(), text.data(), text.size()) == 20'000);
    pipe.writer.reset();
    f.nothing_spins();
    CHECK(eventually([&] {
        while (guest.take(*f.input)) {
        }
        return guest.all().size() == text.size();
    }));
    CHECK(guest.all() == text);
    CHECK(eventually([&] { return f.ends == 1; }));
    CHECK_FALSE(guest.overrun());
}

TEST_CASE("/dev/null, an empty file and a closed socket are an end, /dev/zero is bounded") {
    FakeGuest guest(64);
    SECTION("/dev/null") {
        const Fd null(::open("/dev/null", O_RDONLY));
        Fixture f(borrow(null.get()), guest);
        CHECK(eventually([&] { return f.ends == 1; }));
        f.nothing_spins();
    }
    SECTION("a socket whose peer has gone") {
        SocketPair pair;
        REQUIRE(::write(pair.b.get(), "bye", 3) == 3);
        pair.b.reset();
        Fixture f(borrow(pair.a.get()), guest);
        CHECK(eventually([&] { return f.ends == 1; }));
        CHECK(guest.all() == "bye");
        f.nothing_spins();
    }
    SECTION("/dev/zero") {
        const Fd zero(::open("/dev/zero", O_RDONLY));
        Fixture f(borrow(zero.get()), guest);
        CHECK(eventually([&] { return guest.all().size() == 64; }));
        f.nothing_spins();
        CHECK(f.ends == 0);
    }
}

TEST_CASE("a regular file is read as the guest takes it") {
    std::string path = "/tmp/carrel-input-XXXXXX";
    const Fd file(::mkstemp(path.data()));
    ::unlink(path.c_str());
    std::string text;
    for (int i = 0; i < 20'000; ++i) text += fmt::format("{}\n", i);
    REQUIRE(::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    ::lseek(file.get(), 0, SEEK_SET);
    FakeGuest guest(100);
    Fixture f(borrow(file.get()), guest);
    CHECK(eventually([&] { return guest.all().size() == 100; }));
    CHECK(::lseek(file.get(), 0, SEEK_CUR) <= 2 * 4096 + 100);  // no further than the bound
    CHECK(eventually([&] {
        while (guest.take(*f.input)) {
        }
        return f.ends == 1 && guest.all().size() == text.size();
    }));
    CHECK(guest.all() == text);
}

TEST_CASE("a guest that doesn't read makes whoever pastes wait") {
    Pipe pipe;
    FakeGuest guest(16);
    Fixture f(borrow(pipe.reader.get()), guest);
    ::fcntl(pipe.writer.get(), F_SETFL, O_NONBLOCK);
    const std::string block(65536, 'p');
    size_t taken = 0;
    for (int i = 0; i < 300; ++i) {
        const ssize_t count = ::write(pipe.writer.get(), block.data(), block.size());
        if (count > 0) taken += static_cast<size_t>(count);
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    CHECK(taken <= 65536 + 2 * 4096 + 16);  // the pipe and what we hold
    f.nothing_spins();
}

TEST_CASE("a big paste arrives whole when the guest does read") {
    Pipe pipe;
    FakeGuest guest(64);
    Fixture f(borrow(pipe.reader.get()), guest);
    std::string text;
    for (int i = 0; i < 20'000; ++i) text += fmt::format("{} ", i);
    std::thread writer([&] {
        for (size_t at = 0; at < text.size();) {
            const ssize_t count = ::write(pipe.writer.get(), &text[at], text.size() - at);
            if (count > 0) at += static_cast<size_t>(count);
        }
        pipe.writer.reset();
    });
    CHECK(eventually(
        [&] {
            while (guest.take(*f.input)) {
            }
            return f.ends == 1 && guest.all().size() >= text.size();
        },
        20'000));
    writer.join();
    CHECK(guest.all() == text);
    CHECK_FALSE(guest.overrun());
}

TEST_CASE("Ctrl-A means something on a terminal only") {
    FakeGuest guest(1000);
    SECTION("a terminal") {
        PtyPair pty;
        Log log(2, LogLevel::kError);
        auto terminal = Terminal::open(pty.slave.get(), true, log).value();
        REQUIRE(terminal != nullptr);
        Fixture f(borrow(pty.slave.get()), guest, terminal.get());
        REQUIRE(::write(pty.master.get(), "a\x01\x01\x01qb\x01\x63\x01x", 10) == 10);
        CHECK(eventually([&] { return f.end_keys == 1; }));
        CHECK(guest.all() == "a\x01\x01qb");
        CHECK(f.help.text() == EscapeKeys::kHelp);
        CHECK_FALSE(is_nonblocking(pty.slave.get()));
        pty.master.reset();
        CHECK(eventually([&] { return f.ends == 1; }));
        f.nothing_spins();
    }
    SECTION("a pipe") {
        Pipe pipe;
        Fixture f(borrow(pipe.reader.get()), guest);
        REQUIRE(::write(pipe.writer.get(), "\x01x\x01\x63", 4) == 4);
        CHECK(eventually([&] { return guest.all() == "\x01x\x01\x63"; }));
        CHECK(f.end_keys == 0);
    }
}

TEST_CASE("Ctrl-A x ends a guest that takes nothing, however much was pasted before") {
    PtyPair pty;
    Log log(2, LogLevel::kError);
    auto terminal = Terminal::open(pty.slave.get(), true, log).value();
    FakeGuest guest(16);
    Fixture f(borrow(pty.slave.get()), guest, terminal.get());
    const std::string block(1000, 'p');
    for (int i = 0; i < 200; ++i) {
        for (size_t at = 0; at < block.size();) {
            const ssize_t count = ::write(pty.master.get(), &block[at], block.size() - at);
            REQUIRE(count > 0);
            at += static_cast<size_t>(count);
        }
    }
    REQUIRE(::write(pty.master.get(), "\x01x", 2) == 2);
    CHECK(eventually([&] { return f.end_keys == 1; }));
    f.loop.stop();
    CHECK(f.input->discarded() > 0);
    CHECK(f.input->discarded() <= 200'000 - 64 * 1024);
}
