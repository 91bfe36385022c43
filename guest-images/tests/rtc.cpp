// Property: the CMOS clock as Linux uses it (MC146818A): valid, a sane time, UIP in bounds, the seconds go
// on, alarm registers and control bits keep what is written, status C clears on read, CMOS RAM keeps bytes.
// Prints PASS with the time or FAIL.
#include "lib/rtc.h"

#include "lib/clock_x86.h"
#include "lib/cpu_x86.h"
#include "lib/guest.h"

using namespace guest;

namespace {

constexpr Text kName = "rtc";
constexpr std::uint8_t kNvram = 0x50;     // general-purpose RAM of the chip
constexpr std::uint8_t kSetBit = 0x80;    // status B: stops the clock for setting
constexpr std::uint8_t kPeriodic = 0x40;  // status B and C
constexpr std::uint8_t kDivider = 0x70;   // status A: 010 = 32.768 kHz
constexpr std::uint64_t kPatienceUs = 2500000;

void check_status() {
    if ((cmos_read(Cmos::kStatusD) & kValidTime) == 0) fail(kName, "status D says the time isn't valid");
    if ((cmos_read(Cmos::kStatusA) & kDivider) != 0x20) fail(kName, "status A: the divider isn't 32.768 kHz");
    for (unsigned i = 0; i < 10000; ++i)
        if ((cmos_read(Cmos::kStatusA) & kUpdateInProgress) == 0) return;
    fail(kName, "update in progress never ends");
}

void check_keeps(Cmos reg, std::uint8_t value, const char* what) {
    const std::uint8_t before = cmos_read(reg);
    cmos_write(reg, value);
    const std::uint8_t got = cmos_read(reg);
    cmos_write(reg, before);
    if (got != value) fail(kName, what, " reads ", Hex{got}, " after a write of ", Hex{value});
}

void check_registers() {
    check_keeps(Cmos::kSecondsAlarm, 0x21, "seconds alarm");
    check_keeps(Cmos::kMinutesAlarm, 0x43, "minutes alarm");
    check_keeps(Cmos::kHoursAlarm, 0x12, "hours alarm");
    check_keeps(static_cast<Cmos>(kNvram), 0xa7, "CMOS RAM");
    const std::uint8_t b = cmos_read(Cmos::kStatusB);
    check_keeps(Cmos::kStatusB, static_cast<std::uint8_t>((b ^ 0x20) & ~kSetBit), "status B");
    (void)cmos_read(Cmos::kStatusC);
    if (const std::uint8_t c = cmos_read(Cmos::kStatusC); (c & kPeriodic) != 0 && (b & kPeriodic) == 0)
        fail(kName, "status C doesn't clear on read: ", Hex{c});
}

void check_goes_on() {
    const unsigned first = rtc_now().second;
    const std::uint64_t start = rdtsc();
    while (rtc_now().second == first)
        if (tsc_to_us(rdtsc() - start) > kPatienceUs) fail(kName, "the seconds stand still");
}

}  // namespace

extern "C" void guest_main() {
    clock_init();
    check_status();
    const DateTime now = rtc_now();
    if (!is_sane(now))
        fail(kName, "the time makes no sense: year ", now.year, " month ", now.month, " day ", now.day);
    check_registers();
    check_goes_on();
    pass(kName, now.year, "-", TwoDigits{now.month}, "-", TwoDigits{now.day}, " ", TwoDigits{now.hour}, ":",
         TwoDigits{now.minute}, ":", TwoDigits{now.second});
}
