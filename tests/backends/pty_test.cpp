#include "devices/backends/pty.h"

#include <termios.h>

#include <mutex>

#include "devices/backends/console_input.h"
#include "devices/backends/console_output.h"
#include "tests/backends/helpers.h"

using namespace carrel;
using namespace carrel::test;

namespace {

class Guest final : public ByteReceiver {
  public:
    size_t room() override { return 1024; }
    void receive(std::span<const std::byte> bytes) override {
        const std::scoped_lock lock(mutex_);
        got_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    }
    std::string got() {
        const std::scoped_lock lock(mutex_);
        return got_;
    }

  private:
    std::mutex mutex_;
    std::string got_;
};

struct Fixture {
    LoopThread loop;
    Log log{2, LogLevel::kError};
    DirectOpener opener;
    Pty pty = Pty::open(opener).value();
    Guest guest;
    std::atomic<int> ends{0};
    std::unique_ptr<ConsoleOutput> output =
        ConsoleOutput::create(loop.loop(), pty.stream().value(), log).value();
    std::unique_ptr<ConsoleInput> input =
        ConsoleInput::create(
            loop.loop(), pty.stream().value(), guest,
            {.terminal = nullptr, .help = nullptr, .on_end_key = {}, .on_end_of_source = [this] { ++ends; }})
            .value();
    Fixture() { loop.start(); }
    ~Fixture() { loop.stop(); }
    Fd attach() const { return Fd(::open(pty.name().c_str(), O_RDWR | O_NOCTTY)); }
};

}  // namespace

TEST_CASE("a pty carries both directions unchanged, and echoes nothing") {
    Fixture f;
    const Fd person = f.attach();
    REQUIRE(person.valid());
    f.output->write(bytes_of("login: \n\r\x04\x03\x11"));
    CHECK(read_some(person.get(), 12) == "login: \n\r\x04\x03\x11");
    REQUIRE(::write(person.get(), "root\r\x01x\x03", 8) == 8);
    CHECK(eventually([&] { return f.guest.got() == "root\r\x01x\x03"; }));
}

TEST_CASE("a pty that nobody reads stalls nobody, and the last lines are there for who comes") {
    Fixture f;
    const std::string block(1000, 'o');
    for (int i = 0; i < 2000; ++i) f.output->write(bytes_of(block));
    f.output->write(bytes_of("the end"));
    const Nanoseconds before = f.loop.cpu_time();
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    CHECK(f.loop.cpu_time() - before < 20 * kMillisecond);
    CHECK(f.guest.got().empty());
    const Fd person = f.attach();
    const std::string seen = read_some(person.get(), 300'000);
    CHECK(seen.find("bytes of console output dropped]") != std::string::npos);
    CHECK(seen.ends_with("ooothe end"));
}

TEST_CASE("people come and go") {
    Fixture f;
    for (int i = 0; i < 3; ++i) {
        const Fd person = f.attach();
        f.output->write(bytes_of("hello"));
        CHECK(read_some(person.get(), 5) == "hello");
        REQUIRE(::write(person.get(), "!", 1) == 1);
        CHECK(eventually([&] { return f.guest.got().size() == static_cast<size_t>(i) + 1; }));
    }
    CHECK(f.ends == 0);
    CHECK_FALSE(f.output->reader_gone());
}
