#include "devices/rtc.h"

#include "tests/catch.h"
#include "tests/devices/fakes.h"

using namespace carrel;
using namespace carrel::test;

namespace {
constexpr Nanoseconds kLeapDay = 1'709'210'096;  // 2024-02-29 12:34:56 UTC, a Thursday

struct Rig {
    explicit Rig(Nanoseconds seconds = kLeapDay) { clock.set_wall(seconds * kSecond); }
    unsigned get(unsigned index) {
        out8(rtc, Rtc::kIndex, index);
        return in8(rtc, Rtc::kData);
    }
    void put(unsigned index, unsigned value) {
        out8(rtc, Rtc::kIndex, index);
        out8(rtc, Rtc::kData, value);
    }
    // Century to seconds, in BCD: 0x20240229123456.
    uint64_t time() {
        uint64_t value = 0;
        for (const unsigned index : {0x32u, 9u, 8u, 7u, 4u, 2u, 0u}) value = value << 8 | get(index);
        return value;
    }
    void set_time(uint64_t bcd) {
        for (const unsigned index : {0u, 2u, 4u, 7u, 8u, 9u, 0x32u}) {
            put(index, static_cast<unsigned>(bcd & 0xff));
            bcd >>= 8;
        }
    }
    ManualClock clock;
    Rtc rtc{clock};
};
constexpr unsigned kUip = 0x80;
}  // namespace

TEST_CASE("rtc: it shows the host's time in UTC") {
    Rig rig;
    CHECK(rig.time() == 0x20240229123456);
    CHECK(rig.get(Rtc::kWeekday) == 5);  // 1 is Sunday
    CHECK(rig.get(Rtc::kControlA) == 0x26);
    CHECK(rig.get(Rtc::kControlB) == 0x02);
    CHECK(rig.get(Rtc::kFlags) == 0);
    CHECK(rig.get(Rtc::kValid) == 0x80);
    rig.clock.advance(13 * 3600 * kSecond);
    CHECK(rig.time() == 0x20240301013456);
}

TEST_CASE("rtc: turns of the century, and times before 1970") {
    CHECK(Rig(946'684'799).time() == 0x19991231235959);
    CHECK(Rig(946'684'800).time() == 0x20000101000000);
    CHECK(Rig(4'107'542'400).time() == 0x21000301000000);  // 2100 is no leap year
    CHECK(Rig(-1).time() == 0x19691231235959);
}

TEST_CASE("rtc: binary and 12-hour formats") {
    Rig rig;
    const auto [hours, bcd, binary] =
        GENERATE(std::tuple{0, 0x12u, 12u}, std::tuple{1, 0x01u, 1u}, std::tuple{11, 0x11u, 11u},
                 std::tuple{12, 0x92u, 0x8cu}, std::tuple{23, 0x91u, 0x8bu});
    rig.clock.set_wall((kLeapDay - kLeapDay % 86'400 + hours * 3600) * kSecond);
    rig.put(Rtc::kControlB, 0);
    CHECK(rig.get(Rtc::kHours) == bcd);
    rig.put(Rtc::kControlB, Rtc::kBinary);
    CHECK(rig.get(Rtc::kHours) == binary);
    CHECK(rig.get(Rtc::kDay) == 29);
    CHECK(rig.get(Rtc::kYear) == 24);
    rig.put(Rtc::kHours, binary);  // writing back what was read changes nothing
    CHECK(rig.get(Rtc::kHours) == binary);
    CHECK(rig.get(Rtc::kDay) == 29);
    rig.put(Rtc::kControlB, Rtc::kBinary | Rtc::k24Hours);
    CHECK(rig.get(Rtc::kHours) == static_cast<unsigned>(hours));
}

TEST_CASE("rtc: a time that was set stays set while the host's clock goes on") {
    Rig rig;
    rig.clock.advance(kSecond / 4);
    SECTION("with SET") {
        rig.put(Rtc::kControlB, Rtc::k24Hours | Rtc::kSet);
        rig.clock.advance(10 * kSecond);
        CHECK(rig.time() == 0x20240229123456);  // stands still
        rig.set_time(0x19870605043210);
        CHECK(rig.time() == 0x19870605043210);
        rig.put(Rtc::kControlB, Rtc::k24Hours);
        rig.clock.advance(kSecond / 4);  // the divider ran on: a quarter and a quarter
        CHECK(rig.time() == 0x19870605043210);
    }
    SECTION("with SET and the divider in reset, half a second to the next one") {
        rig.put(Rtc::kControlB, Rtc::k24Hours | Rtc::kSet);
        rig.put(Rtc::kControlA, 0x76);
        rig.set_time(0x19870605043210);
        rig.put(Rtc::kControlB, Rtc::k24Hours);
        rig.clock.advance(5 * kSecond + kSecond / 2);  // the divider holds it
        CHECK(rig.time() == 0x19870605043210);
        rig.put(Rtc::kControlA, 0x26);
    }
    SECTION("register by register while it runs") {
        rig.put(0x32, 0x19);
        rig.put(Rtc::kYear, 0x87);
        rig.put(Rtc::kDay, 0x05);
        rig.put(Rtc::kMonth, 0x06);
        rig.put(Rtc::kHours, 0x04);
        rig.put(Rtc::kMinutes, 0x32);
        rig.put(Rtc::kSeconds, 0x10);
        rig.clock.advance(kSecond / 4);
    }
    rig.clock.advance(kSecond / 2 - 1);
    CHECK(rig.time() == 0x19870605043210);
    rig.clock.advance(1);
    CHECK(rig.time() == 0x19870605043211);
    CHECK(rig.get(Rtc::kWeekday) == 6);  // a Friday
    rig.clock.advance(86'400 * kSecond);
    CHECK(rig.time() == 0x19870606043211);
}

TEST_CASE("rtc: UIP announces the next second, for 244 us") {
    Rig rig;
    CHECK((rig.get(Rtc::kControlA) & kUip) == 0);
    rig.clock.advance(kSecond - 244 * kMicrosecond - 1);
    CHECK((rig.get(Rtc::kControlA) & kUip) == 0);
    rig.clock.advance(1);
    CHECK((rig.get(Rtc::kControlA) & kUip) != 0);
    CHECK(rig.time() == 0x20240229123456);
    rig.put(Rtc::kControlB, Rtc::k24Hours | Rtc::kSet);  // no updates, so none in progress
    CHECK((rig.get(Rtc::kControlA) & kUip) == 0);
    rig.put(Rtc::kControlB, Rtc::k24Hours);
    rig.clock.advance(244 * kMicrosecond);
    CHECK((rig.get(Rtc::kControlA) & kUip) == 0);
    CHECK(rig.time() == 0x20240229123457);
    rig.put(Rtc::kControlA, 0xff);  // the bit can't be written
    CHECK(rig.get(Rtc::kControlA) == 0x7f);
}

TEST_CASE("rtc: RAM keeps bytes, bit 7 of the index is ignored, C and D are read-only") {
    Rig rig;
    for (unsigned i = Rtc::kRam; i < 0x80; ++i)
        if (i != Rtc::kCentury) rig.put(i, i ^ 0x5a);
    for (unsigned i = Rtc::kRam; i < 0x80; ++i)
        if (i != Rtc::kCentury) CHECK(rig.get(i | 0x80) == (i ^ 0x5a));
    rig.put(Rtc::kFlags, 0xff);
    rig.put(Rtc::kValid, 0);
    CHECK(rig.get(Rtc::kFlags) == 0);
    CHECK(rig.get(Rtc::kValid) == 0x80);
    CHECK(in8(rig.rtc, Rtc::kIndex) == 0xff);
}

TEST_CASE("rtc: a word written at 0x70 is index and data") {
    Rig rig;
    out16(rig.rtc, 0, 0x4210);
    CHECK(rig.get(0x10) == 0x42);
    CHECK(in16(rig.rtc, 0) == 0x42ff);
    CHECK(in<uint64_t>(rig.rtc, 0) == 0xffff'ffff'ffff'42ff);
    out<uint64_t>(rig.rtc, 0, 0x4310);
    CHECK(rig.get(0x10) == 0x43);
}

TEST_CASE("rtc: any bytes as a time carry over and break nothing") {
    Rig rig;
    const unsigned format = GENERATE(0u, 2u, 4u, 6u);
    for (unsigned value = 0; value < 256; ++value) {
        rig.put(Rtc::kControlB, format | Rtc::kSet);
        for (const unsigned index : {0x32u, 9u, 8u, 7u, 6u, 4u, 2u, 0u}) rig.put(index, value);
        rig.put(Rtc::kControlB, format);
        rig.put(Rtc::kControlB, Rtc::k24Hours);
        CHECK(rig.get(Rtc::kMinutes) <= 0x59);
        CHECK(rig.get(Rtc::kHours) <= 0x23);
        CHECK((rig.get(Rtc::kMonth) >= 1 && rig.get(Rtc::kMonth) <= 0x12));
    }
}

TEST_CASE("rtc: a reset keeps time and RAM, as their battery does") {
    Rig rig;
    rig.put(Rtc::kYear, 0x30);
    rig.put(0x40, 0x99);
    rig.put(Rtc::kControlB, 0x7e);
    rig.rtc.reset();
    CHECK(in8(rig.rtc, Rtc::kData) == 56);  // the index is 0 again: seconds, in binary
    CHECK(rig.get(Rtc::kControlB) == 0x06);
    CHECK(rig.get(Rtc::kYear) == 30);
    CHECK(rig.get(0x40) == 0x99);
}

TEST_CASE("rtc: saved and restored in the middle of work, the guest notices nothing") {
    Rig first;
    first.put(Rtc::kYear, 0x31);
    first.put(0x55, 0xaa);
    const bool standing = GENERATE(false, true);
    if (standing) first.put(Rtc::kControlB, Rtc::k24Hours | Rtc::kSet);
    if (standing) first.put(Rtc::kMinutes, 0x01);
    out8(first.rtc, Rtc::kIndex, Rtc::kMinutes);
    const auto bytes = saved(first.rtc);

    Rig second(kLeapDay + 60);  // restored a minute later
    REQUIRE(restores(second.rtc, bytes));
    CHECK(saved(second.rtc) == bytes);
    CHECK(in8(second.rtc, Rtc::kData) == (standing ? 0x01u : 0x35u));
    CHECK(second.get(Rtc::kYear) == 0x31);
    CHECK(second.get(0x55) == 0xaa);
    second.put(Rtc::kControlB, Rtc::k24Hours);
    CHECK(second.get(Rtc::kMinutes) == (standing ? 0x01u : 0x35u));
}

TEST_CASE("rtc: damaged bytes are refused and leave it as it was after a reset") {
    Rig rig;
    const auto good = saved(rig.rtc);
    const auto refused = [&](std::span<const std::byte> bytes) {
        CHECK_FALSE(restores(rig.rtc, bytes));
        CHECK(saved(rig.rtc) == good);
        CHECK(rig.time() == 0x20240229123456);
        out8(rig.rtc, Rtc::kIndex, 0);
    };
    for_each_damage(good, refused);
    constexpr size_t kPayload = 10;
    constexpr size_t kOffsets = kPayload + 1 + 128;
    // index; UIP in register A; the high bytes of the two offsets (far away, negative and beyond a second)
    for (const size_t at : {kPayload, kPayload + 1 + 0x0a, kOffsets + 6, kOffsets + 15}) {
        auto bytes = good;
        bytes[at] = std::byte{0xf0};
        refused(bytes);
    }
}
