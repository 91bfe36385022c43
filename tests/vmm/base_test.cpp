#include "vmm/model/machine_config.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <array>

#include "tests/catch.h"
#include "vmm/base/bytes.h"
#include "vmm/base/event_loop.h"
#include "vmm/base/log.h"
#include "vmm/base/thread.h"

using namespace carrel;

TEST_CASE("sizes are whole numbers with a unit, and never wrap") {
    CHECK(parse_size("512M", "--memory").value() == 512 * kMiB);
    CHECK(parse_size("1G", "--memory").value() == kGiB);
    CHECK(parse_size("65536", "--memory").value() == 65536);
    for (const char* bad :
         {"", "M", "12Q", "-1M", "1.5G", "0x10", "99999999999999999999", "18446744073709551615K", "1 M"}) {
        INFO(bad);
        const auto size = parse_size(bad, "--memory");
        REQUIRE_FALSE(size.ok());
        CHECK(size.error().fault == Fault::kUsage);
        CHECK(size.error().what.find("--memory") == 0);
    }
}

TEST_CASE("durations need to be above zero") {
    CHECK(parse_duration("60s", "--timeout").value() == 60 * kSecond);
    CHECK(parse_duration("250ms", "--timeout").value() == 250 * kMillisecond);
    CHECK_FALSE(parse_duration("0", "--timeout").ok());
    CHECK_FALSE(parse_duration("9223372036854775807h", "--timeout").ok());
    CHECK_FALSE(parse_duration("forever", "--timeout").ok());
}

TEST_CASE("a configuration is checked without opening anything") {
    MachineConfig config;
    CHECK(check(config).ok());
    config.memory = 8 * kMiB;
    CHECK_FALSE(check(config).ok());
    config.memory = 16 * kMiB + 1;
    CHECK_FALSE(check(config).ok());
    config.memory = 0;
    config.cpus = 0;
    CHECK_FALSE(check(config).ok());
    config.cpus = 1;
    config.name = "a/b";
    CHECK_FALSE(check(config).ok());
}

TEST_CASE("saved bytes come back, and hostile ones only fail") {
    ByteWriter writer;
    const auto part = writer.begin_part("test", 2);
    writer.put(uint32_t{7});
    writer.put_bytes(std::as_bytes(std::span("abc", 3)));
    writer.end_part(part);

    SECTION("round trip") {
        ByteReader reader(writer.bytes());
        uint16_t version = 0;
        ByteReader payload = reader.part("test", 2, &version);
        CHECK(version == 2);
        CHECK(payload.get<uint32_t>() == 7);
        CHECK(payload.get_bytes(3).size() == 3);
        CHECK((payload.ok() && payload.at_end() && reader.ok() && reader.at_end()));
    }
    SECTION("a newer version, another tag, a longer field than allowed") {
        ByteReader newer(writer.bytes());
        CHECK_FALSE(newer.part("test", 1).ok());
        ByteReader other(writer.bytes());
        CHECK_FALSE(other.part("tset", 2).ok());
        ByteReader longer(writer.bytes());
        ByteReader payload = longer.part("test", 2);
        payload.get<uint32_t>();
        CHECK(payload.get_bytes(2).empty());
        CHECK_FALSE(payload.ok());
    }
    SECTION("every truncation fails and gives zeros") {
        for (size_t size = 0; size < writer.bytes().size(); ++size) {
            ByteReader reader(writer.bytes().first(size));
            ByteReader payload = reader.part("test", 2);
            CHECK_FALSE(payload.ok());
            CHECK(payload.get<uint32_t>() == 0);
        }
    }
}

TEST_CASE("a rate limit lets a burst through and counts the rest") {
    RateLimit limit(2, kSecond);
    uint64_t suppressed = 0;
    CHECK(limit.allow(10 * kSecond, suppressed));
    CHECK(limit.allow(10 * kSecond, suppressed));
    for (int i = 0; i < 5; ++i) CHECK_FALSE(limit.allow(10 * kSecond, suppressed));
    CHECK(limit.allow(11 * kSecond, suppressed));
    CHECK(suppressed == 5);
}

TEST_CASE("the event loop runs posted tasks, timers in order, and stops") {
    const SystemClock system_clock;
    auto loop = EventLoop::create(system_clock);
    REQUIRE(loop.ok());
    EventLoop& l = **loop;
    std::string order;
    const SystemClock clock;
    l.at(clock.now() + 2 * kMillisecond, [&] { order += "2"; });
    l.at(clock.now() + kMillisecond, [&] { order += "1"; });
    const auto cancelled = l.at(clock.now() + kMillisecond, [&] { order += "x"; });
    l.cancel(cancelled);
    l.at(clock.now() + 5 * kMillisecond, [&] { l.stop(); });
    auto poster = Thread::start("a-name-longer-than-15", [&] { l.post([&] { order += "0"; }); });
    REQUIRE(poster.ok());
    poster->join();
    l.run();
    CHECK(order == "012");
}

TEST_CASE("a log whose reader takes nothing holds nobody up, and goes on when it does") {
    int ends[2] = {-1, -1};
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    const Fd reader(ends[0]), writer(ends[1]);
    REQUIRE(::fcntl(writer.get(), F_SETPIPE_SZ, 4096) > 0);
    Log log(writer.get(), LogLevel::kWarning);
    const SystemClock clock;
    const Nanoseconds begin = clock.now();
    for (int i = 0; i < 1000; ++i)
        log.warning("line {} of a thousand, which are more than the pipe holds", i);
    CHECK(clock.now() - begin < 5 * kSecond);
    CHECK((::fcntl(writer.get(), F_GETFL) & O_NONBLOCK) == 0);  // the description is shared with others
    std::array<char, 8192> text{};
    CHECK(::read(reader.get(), text.data(), text.size()) > 0);
    log.warning("the last line");
    const ssize_t got = ::read(reader.get(), text.data(), text.size());
    REQUIRE(got > 0);
    CHECK(std::string(text.data(), static_cast<size_t>(got)).find("the last line") != std::string::npos);
}

TEST_CASE("the words of the command line are read whole, and named when they are wrong") {
    CHECK(parse_cpus("4").value() == 4);
    for (const char* bad : {"", "0", "-1", "four", "4x", "99999999999999999999"}) {
        INFO(bad);
        CHECK_FALSE(parse_cpus(bad).ok());
    }
    CHECK(parse_cpu_model("baseline").value() == CpuModel::kBaseline);
    CHECK_FALSE(parse_cpu_model("HOST").ok());
    CHECK_FALSE(parse_cpu_model("1").ok());
    CHECK(parse_on_reboot("restart").value() == OnReboot::kRestart);
    CHECK(parse_on_reboot("never").error().sentence().find("never") != std::string::npos);
    CHECK(parse_log_level("debug").value() == LogLevel::kDebug);
    CHECK_FALSE(parse_log_level("DEBUG").ok());
    CHECK(duration_text(60 * kSecond) == "60 s");
    CHECK(duration_text(1500 * kMillisecond) == "1500 ms");
}

TEST_CASE("event loop: it gives way while it moves much, and for some rounds after that") {
    if (::sched_getscheduler(0) != SCHED_OTHER) return;  // somebody else's choice, which stays
    const SystemClock system_clock;
    auto loop = EventLoop::create(system_clock);
    REQUIRE(loop.ok());
    EventLoop& l = **loop;
    std::vector<int> seen;
    std::function<void()> round = [&] {
        seen.push_back(::sched_getscheduler(0));
        if (seen.size() == 1) l.moved_much();
        if (seen.size() == 100) return l.stop();
        l.post(round);
    };
    l.post(round);
    l.run();
    CHECK(seen[0] == SCHED_OTHER);
    CHECK(seen[1] == SCHED_BATCH);
    CHECK(seen[10] == SCHED_BATCH);
    CHECK(seen.back() == SCHED_OTHER);
}
