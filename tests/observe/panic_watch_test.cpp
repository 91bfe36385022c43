#include "vmm/observe/panic_watch.h"

#include <cstdint>
#include <string>

#include "tests/catch.h"

using namespace carrel;
using namespace carrel::observe;

namespace {

void give(PanicWatch& watch, std::string_view text) {
    watch.write(std::as_bytes(std::span(text.data(), text.size())));
}

enum class Verdict { kNothing, kSeen, kEnded };

Verdict verdict(const PanicWatch& watch) {
    if (watch.panic_ended()) return Verdict::kEnded;
    return watch.panic_line_seen() ? Verdict::kSeen : Verdict::kNothing;
}

// The verdict must not depend on how the bytes were cut into writes.
Verdict judge(const std::string& console) {
    PanicWatch whole;
    give(whole, console);
    for (const size_t size : {size_t{1}, size_t{7}, size_t{127}, size_t{129}}) {
        PanicWatch split;
        for (size_t at = 0; at < console.size(); at += size)
            give(split, std::string_view(console).substr(at, size));
        INFO("in writes of " << size);
        CHECK(verdict(split) == verdict(whole));
        CHECK(split.message() == whole.message());
    }
    return verdict(whole);
}

const std::string kBoot =
    "[    0.000000] Linux version 6.1.0-18-cloud-amd64\r\n"
    "[    0.004000] Command line: console=ttyS0\r\n";

}  // namespace

TEST_CASE("the kernel's panic line is seen, with its text") {
    PanicWatch watch;
    give(watch, kBoot +
                    "[    0.712345] Kernel panic - not syncing: VFS: Unable to mount root fs on "
                    "unknown-block(0,0)\r\n");
    CHECK(watch.panic_line_seen());
    CHECK_FALSE(watch.panic_ended());
    CHECK(watch.message() ==
          "Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)");
    give(watch,
         "[    0.713000] CPU: 0 PID: 1 Comm: swapper/0 Not tainted\r\n[    0.714000] Rebooting in 1 "
         "seconds..");
    CHECK(watch.panic_line_seen());
}

TEST_CASE("with printk.time=0, stamps of the first lines don't make later ones a program's") {
    PanicWatch watch;
    watch.expect_no_stamps();
    give(watch, "[    0.000000] Linux version 6.1.0\r\n[    0.000000] Command line: printk.time=0\r\n");
    give(watch, "Run /init as init process\r\nKernel panic - not syncing: sysrq triggered crash\r\n");
    CHECK(watch.panic_line_seen());
    give(watch, "reboot: Restarting system\r\n");
    CHECK_FALSE(watch.panic_line_seen());
}

TEST_CASE("the end of a panic is known when its line is complete (panic=0)") {
    PanicWatch watch;
    give(watch, "[    1.000000] Kernel panic - not syncing: sysrq triggered crash\r\n");
    give(watch, "[    1.100000] ---[ end Kernel panic - not syncing: sysrq triggered crash ]---");
    CHECK_FALSE(watch.panic_ended());
    give(watch, "\r\n");
    CHECK(watch.panic_ended());
    CHECK(watch.message() == "Kernel panic - not syncing: sysrq triggered crash");
}

TEST_CASE("all of the kernel's prefixes are known") {
    for (const char* prefix :
         {"[    1.234567] ", "[12345.678901] ", "[123456.678901] ", "[    0.000000][    T0] ",
          "[    1.234567][   C12] ", "[    1.234567][T1/swapper/0] ", "<0>[    1.234567] ",
          "\033[31m\033[1;31m[    1.234567] ", ""}) {
        INFO(prefix);
        const std::string panic = std::string(prefix) + "Kernel panic - not syncing: Fatal exception\r\n";
        const std::string end =
            std::string(prefix) + "---[ end Kernel panic - not syncing: Fatal exception ]---\r\n";
        CHECK(judge(panic) == Verdict::kSeen);
        CHECK(judge(panic + end) == Verdict::kEnded);
        CHECK(judge(end) == Verdict::kNothing);
    }
}

TEST_CASE("a program that prints the words isn't the kernel") {
    const std::string echo = "Kernel panic - not syncing\r\n";
    const std::string echo_end = "---[ end Kernel panic - not syncing: no ]---\r\n";
    SECTION("once the kernel has been seen to stamp its lines") {
        CHECK(judge(kBoot + echo) == Verdict::kNothing);
        CHECK(judge(kBoot + echo + echo_end) == Verdict::kNothing);
    }
    SECTION("and when it is seen only afterwards (quiet)") {
        CHECK(judge(echo) == Verdict::kSeen);  // for now
        CHECK(judge(echo + "[    3.000000] reboot: Restarting system\r\n") == Verdict::kNothing);
        CHECK(judge(echo + "[    3.000000] reboot: Power down\r\n") == Verdict::kNothing);
        CHECK(judge(echo + "[    3.000000] some driver speaks\r\n") == Verdict::kNothing);
    }
    SECTION("and when nothing is stamped, but the machine ends in order (printk.time=0)") {
        CHECK(judge(echo + "reboot: Restarting system\r\n") == Verdict::kNothing);
    }
    SECTION("in the middle of a line") {
        CHECK(judge("# echo Kernel panic - not syncing\r\n") == Verdict::kNothing);
        CHECK(judge(kBoot + "[    1.000000] init: Kernel panic - not syncing\r\n") == Verdict::kNothing);
        CHECK(judge("[1.0] Kernel panic - not syncing\r\n") == Verdict::kNothing);
        CHECK(judge("[    1.000000]Kernel panic - not syncing\r\n") == Verdict::kNothing);
    }
}

TEST_CASE("a program's panic line doesn't hide the kernel's") {
    PanicWatch watch;
    give(
        watch,
        "Kernel panic - not syncing: an echo\r\n[    2.000000] Kernel panic - not syncing: the real one\r\n");
    CHECK(watch.panic_line_seen());
    CHECK(watch.message() == "Kernel panic - not syncing: the real one");
}

TEST_CASE("the first panic is the cause, later ones don't replace it") {
    PanicWatch watch;
    give(watch,
         "[    2.000000] Kernel panic - not syncing: first\r\n[    2.000000] Kernel panic - not syncing: "
         "second\r\n");
    CHECK(watch.message() == "Kernel panic - not syncing: first");
}

TEST_CASE("the kernel goes on behind a program's half line") {
    CHECK(judge("/ # work... [1/2] [    5.123456] Kernel panic - not syncing: sysrq triggered crash\r\n") ==
          Verdict::kSeen);
    CHECK(judge(std::string(5000, '.') + "[    5.123456] Kernel panic - not syncing: x\r\n") ==
          Verdict::kSeen);
    CHECK(judge(std::string(5000, '.') + "Kernel panic - not syncing: x\r\n") == Verdict::kNothing);
    for (size_t before = 300; before < 600; ++before) {
        PanicWatch watch;
        for (size_t i = 0; i < before; ++i) give(watch, ".");
        give(watch, "[    5.123456] Kernel panic - not syncing: x\r\n");
        REQUIRE(watch.panic_line_seen());
    }
}

TEST_CASE("a panic's text longer than a line that is kept") {
    const std::string text = "Kernel panic - not syncing: " + std::string(1000, 'm');
    CHECK(judge("[    1.000000] " + text + "\r\n") == Verdict::kSeen);
    CHECK(judge("[    1.000000] " + text + "\r\n[    1.000000] ---[ end " + text + " ]---\r\n") ==
          Verdict::kEnded);
}

TEST_CASE("any bytes at all are survived") {
    PanicWatch watch;
    std::string noise;
    uint32_t state = 1;
    for (int i = 0; i < 200'000; ++i) {
        state = state * 1664525 + 1013904223;
        constexpr std::string_view kAlphabet = "[]<>. 0123456789Kernel panic-\033\n\r";
        noise += kAlphabet[(state >> 16) % kAlphabet.size()];
    }
    give(watch, noise);
    give(watch, {});
    CHECK_FALSE(watch.panic_ended());
}
