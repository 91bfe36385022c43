// The CMOS clock (Motorola MC146818A datasheet) as Linux reads it: wait for the update to end, read twice,
// convert.
#pragma once
#include <cstdint>

namespace guest {

// Register numbers, MC146818A figure 12.
enum class Cmos : std::uint8_t {
    kSeconds = 0x00,
    kSecondsAlarm = 0x01,
    kMinutes = 0x02,
    kMinutesAlarm = 0x03,
    kHours = 0x04,
    kHoursAlarm = 0x05,
    kDayOfWeek = 0x06,
    kDay = 0x07,
    kMonth = 0x08,
    kYear = 0x09,
    kStatusA = 0x0a,
    kStatusB = 0x0b,
    kStatusC = 0x0c,
    kStatusD = 0x0d,
    kCentury = 0x32,  // where PCs keep it; read only when it makes sense
};

constexpr std::uint8_t kUpdateInProgress = 0x80;  // status A
constexpr std::uint8_t kBinaryMode = 0x04;        // status B
constexpr std::uint8_t k24Hour = 0x02;            // status B
constexpr std::uint8_t kValidTime = 0x80;         // status D

struct DateTime {
    unsigned year, month, day, hour, minute, second;
    bool operator==(const DateTime&) const = default;
};

std::uint8_t cmos_read(Cmos reg);
void cmos_write(Cmos reg, std::uint8_t value);
DateTime rtc_now();
bool is_sane(const DateTime& time);

}  // namespace guest
