#include "devices/acpi_pm.h"
#include "devices/i8042.h"
#include "devices/reset_control.h"
#include "tests/catch.h"
#include "tests/devices/fakes.h"

using namespace carrel;
using namespace carrel::test;

namespace {
struct Rig {
    ManualClock clock;
    FakeIrq sci;
    FakePower power;
    AcpiPm pm{clock, sci, power};
};
constexpr unsigned kSleepS5 = 5u << 10 | 1u << 13;
}  // namespace

TEST_CASE("i8042: reads are 0, and only the reset command does anything") {
    FakePower power;
    I8042 chip(power);
    CHECK(in8(chip, I8042::kData) == 0);
    CHECK(in8(chip, I8042::kCommand) == 0);
    CHECK(in<uint64_t>(chip, 0) == 0xffff'ff00'ffff'ff00);
    for (unsigned value = 0; value < 0xfe; ++value) out8(chip, I8042::kCommand, value);
    out8(chip, I8042::kData, 0xfe);
    out8(chip, 1, 0xfe);
    CHECK(power.resets == 0);
    out8(chip, I8042::kCommand, 0xfe);
    CHECK(power.resets == 1);
    out16(chip, 3, 0xfe00);  // the second byte lands on the command port
    CHECK(power.resets == 2);
}

TEST_CASE("reset control: bit 2 resets, the bits that choose the kind alone don't") {
    FakePower power;
    ResetControl reset(power);
    out8(reset, 0, 0x02);
    out8(reset, 0, 0x0a);
    CHECK(power.resets == 0);
    out8(reset, 0, 0x06);
    CHECK(power.resets == 1);
    out8(reset, 0, 0x0e);
    CHECK(power.resets == 2);
    CHECK(in8(reset, 0) == 0);
    out8(reset, 1, 0x06);
    reset.write(0, {});
    CHECK(power.resets == 2);
}

TEST_CASE("acpi-pm: the power button raises SCI when enabled, until it is written back") {
    Rig rig;
    CHECK_FALSE(rig.pm.press_power_button());
    CHECK_FALSE(rig.sci.level);
    out16(rig.pm, AcpiPm::kEnable, AcpiPm::kPowerButton);
    CHECK(rig.sci.level);
    CHECK(rig.pm.press_power_button());
    CHECK(in16(rig.pm, AcpiPm::kStatus) == AcpiPm::kPowerButton);
    out16(rig.pm, AcpiPm::kStatus, 0xfeff & 0xffff);  // all but the bit
    CHECK(rig.sci.level);
    out16(rig.pm, AcpiPm::kStatus, AcpiPm::kPowerButton);
    CHECK_FALSE(rig.sci.level);
    CHECK(in16(rig.pm, AcpiPm::kStatus) == 0);
    rig.pm.press_power_button();
    CHECK(rig.sci.level);
    out8(rig.pm, AcpiPm::kStatus + 1, 0x01);  // a byte is enough
    CHECK_FALSE(rig.sci.level);
}

TEST_CASE("acpi-pm: enable keeps the fixed events' bits, control shows SCI_EN") {
    Rig rig;
    out16(rig.pm, AcpiPm::kEnable, 0xffff);
    CHECK(in16(rig.pm, AcpiPm::kEnable) == AcpiPm::kEventsKept);
    out16(rig.pm, AcpiPm::kControl, 0);
    CHECK(in16(rig.pm, AcpiPm::kControl) == AcpiPm::kSciEnable);
    out16(rig.pm, AcpiPm::kControl, 0xffff & ~unsigned{AcpiPm::kSleepEnable});
    CHECK(in16(rig.pm, AcpiPm::kControl) == (AcpiPm::kSciEnable | AcpiPm::kControlKept));
    CHECK(rig.power.power_offs == 0);
}

TEST_CASE("acpi-pm: S5 powers off, other sleep states do nothing") {
    Rig rig;
    out16(rig.pm, AcpiPm::kControl, kSleepS5 & ~unsigned{AcpiPm::kSleepEnable});
    CHECK(rig.power.power_offs == 0);
    SECTION("as one word") {
        out16(rig.pm, AcpiPm::kControl, kSleepS5);
    }
    SECTION("as a byte") {
        out8(rig.pm, AcpiPm::kControl + 1, kSleepS5 >> 8);
    }
    SECTION("as a dword") {
        out32(rig.pm, AcpiPm::kControl, kSleepS5);
    }
    CHECK(rig.power.power_offs == 1);
    out16(rig.pm, AcpiPm::kControl, 1u << 10 | 1u << 13);
    CHECK(rig.power.power_offs == 1);
    CHECK((in16(rig.pm, AcpiPm::kControl) & AcpiPm::kSleepEnable) == 0);
}

TEST_CASE("acpi-pm: the timer counts 3,579,545 times a second in 32 bits and can't be written") {
    Rig rig;
    CHECK(in32(rig.pm, AcpiPm::kTimer) == 0);
    rig.clock.advance(kSecond);
    CHECK(in32(rig.pm, AcpiPm::kTimer) == 3'579'545);
    rig.clock.advance(kSecond / 2);
    CHECK(in32(rig.pm, AcpiPm::kTimer) == 3'579'545 * 3u / 2);
    out32(rig.pm, AcpiPm::kTimer, 0);
    CHECK(in32(rig.pm, AcpiPm::kTimer) == 3'579'545 * 3u / 2);
    CHECK(in8(rig.pm, AcpiPm::kTimer + 1) == (3'579'545 * 3u / 2 >> 8 & 0xff));
    rig.clock.advance(100LL * 365 * 86'400 * kSecond);  // a century wraps, and overflows nothing
    const uint64_t ticks = 100ULL * 365 * 86'400 * 3'579'545 + 3'579'545 * 3 / 2;
    CHECK(in32(rig.pm, AcpiPm::kTimer) == (ticks & 0xffff'ffff));
}

TEST_CASE("acpi-pm: odd widths and places") {
    Rig rig;
    CHECK(in16(rig.pm, 6) == 0xffff);
    CHECK(in<uint64_t>(rig.pm, 0) == 0xffff'0001'0000'0000);
    CHECK(in32(rig.pm, 11) >> 8 == 0xff'ffff);
    out<uint64_t>(rig.pm, 5, 0);
    out8(rig.pm, 6, 0xff);
    CHECK(rig.power.power_offs == 0);
}

TEST_CASE("acpi-pm: saved and restored in the middle of work, the guest notices nothing") {
    Rig first;
    out16(first.pm, AcpiPm::kEnable, AcpiPm::kPowerButton | AcpiPm::kGlobalLock);
    out16(first.pm, AcpiPm::kControl, 3u << 10);
    first.clock.advance(12'345 * kMillisecond);
    first.pm.press_power_button();
    const auto timer = in32(first.pm, AcpiPm::kTimer);
    const auto bytes = saved(first.pm);

    Rig second;
    second.clock.advance(777 * kSecond);  // another host, another zero point
    REQUIRE(restores(second.pm, bytes));
    CHECK(saved(second.pm) == bytes);
    CHECK(second.sci.level);
    CHECK(in32(second.pm, AcpiPm::kTimer) == timer);
    CHECK(in16(second.pm, AcpiPm::kEnable) == (AcpiPm::kPowerButton | AcpiPm::kGlobalLock));
    out16(second.pm, AcpiPm::kStatus, AcpiPm::kPowerButton);
    CHECK_FALSE(second.sci.level);
}

TEST_CASE("acpi-pm: a reset lowers SCI and leaves the timer running") {
    Rig rig;
    out16(rig.pm, AcpiPm::kEnable, AcpiPm::kPowerButton);
    rig.pm.press_power_button();
    rig.clock.advance(kSecond);
    rig.pm.reset();
    CHECK_FALSE(rig.sci.level);
    CHECK(in16(rig.pm, AcpiPm::kStatus) == 0);
    CHECK(in16(rig.pm, AcpiPm::kEnable) == 0);
    CHECK(in32(rig.pm, AcpiPm::kTimer) == 3'579'545);
}

TEST_CASE("acpi-pm: damaged bytes are refused and leave it as after a reset") {
    Rig rig;
    out16(rig.pm, AcpiPm::kEnable, AcpiPm::kPowerButton);
    rig.pm.press_power_button();
    const auto good = saved(rig.pm);
    const auto refused = [&](std::span<const std::byte> bytes) {
        REQUIRE(restores(rig.pm, good));
        CHECK_FALSE(restores(rig.pm, bytes));
        CHECK_FALSE(rig.sci.level);
        CHECK(in16(rig.pm, AcpiPm::kEnable) == 0);
    };
    for_each_damage(good, refused);
    for (size_t at = 10; at < 16; ++at) {  // no register has all of its bits
        auto bytes = good;
        bytes[at] = std::byte{0xff};
        refused(bytes);
    }
}
