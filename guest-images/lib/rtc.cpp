// CMOS clock. See rtc.h.
#include "lib/rtc.h"

#include "lib/cpu_x86.h"

namespace guest {
namespace {

constexpr std::uint16_t kIndexPort = 0x70;
constexpr std::uint16_t kDataPort = 0x71;
constexpr std::uint8_t kPm = 0x80;        // in the hours register, in 12-hour mode
constexpr unsigned kUpdatePolls = 10000;  // an update lasts at most 2 ms

unsigned binary(std::uint8_t raw, std::uint8_t status_b) {
    if ((status_b & kBinaryMode) != 0) return raw;
    return (raw >> 4) * 10u + (raw & 15u);
}

unsigned hour_from(std::uint8_t raw, std::uint8_t status_b) {
    if ((status_b & k24Hour) != 0) return binary(raw, status_b);
    const unsigned hour = binary(static_cast<std::uint8_t>(raw & ~kPm), status_b) % 12;
    return (raw & kPm) != 0 ? hour + 12 : hour;
}

DateTime read_once() {
    const std::uint8_t b = cmos_read(Cmos::kStatusB);
    const unsigned century = binary(cmos_read(Cmos::kCentury), b);
    const unsigned base = century >= 19 && century <= 30 ? century * 100 : 2000;
    return {base + binary(cmos_read(Cmos::kYear), b), binary(cmos_read(Cmos::kMonth), b),
            binary(cmos_read(Cmos::kDay), b),         hour_from(cmos_read(Cmos::kHours), b),
            binary(cmos_read(Cmos::kMinutes), b),     binary(cmos_read(Cmos::kSeconds), b)};
}

}  // namespace

std::uint8_t cmos_read(Cmos reg) {
    out8(kIndexPort, static_cast<std::uint8_t>(reg));
    return in8(kDataPort);
}

void cmos_write(Cmos reg, std::uint8_t value) {
    out8(kIndexPort, static_cast<std::uint8_t>(reg));
    out8(kDataPort, value);
}

DateTime rtc_now() {
    DateTime time = {};
    for (unsigned tries = 0; tries < 10; ++tries) {
        for (unsigned i = 0; i < kUpdatePolls && (cmos_read(Cmos::kStatusA) & kUpdateInProgress) != 0; ++i)
            pause();
        time = read_once();
        if (time == read_once()) break;
    }
    return time;
}

bool is_sane(const DateTime& time) {
    return time.year >= 2020 && time.year < 2200 && time.month >= 1 && time.month <= 12 && time.day >= 1 &&
           time.day <= 31 && time.hour < 24 && time.minute < 60 && time.second < 60;
}

}  // namespace guest
