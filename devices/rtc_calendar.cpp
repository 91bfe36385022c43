#include "devices/rtc_calendar.h"

#include <chrono>

namespace carrel::rtc {
namespace {
constexpr uint8_t kPm = 0x80;
constexpr int kSecondsADay = 86'400;
}  // namespace

int64_t to_seconds(const Fields& f) {
    using namespace std::chrono;
    const year_month_day first = year{f.year} / January / 1 + months{f.month - 1};
    const int64_t days = sys_days{first}.time_since_epoch().count() + f.day - 1;
    return days * kSecondsADay + int64_t{f.hour} * 3'600 + int64_t{f.minute} * 60 + f.second;
}

Fields from_seconds(int64_t seconds) {
    using namespace std::chrono;
    const sys_seconds time{std::chrono::seconds{seconds}};
    const sys_days day = floor<days>(time);
    const year_month_day date{day};
    const auto of_day = static_cast<int>((time - day).count());
    return {.second = of_day % 60,
            .minute = of_day / 60 % 60,
            .hour = of_day / 3'600,
            .weekday = static_cast<int>(weekday{day}.c_encoding()) + 1,
            .day = static_cast<int>(static_cast<unsigned>(date.day())),
            .month = static_cast<int>(static_cast<unsigned>(date.month())),
            .year = static_cast<int>(date.year())};
}

uint8_t encode(int value, Format format) {
    return static_cast<uint8_t>(format.binary ? value : value / 10 * 16 + value % 10);
}

int decode(uint8_t raw, Format format) {
    return format.binary ? raw : (raw >> 4) * 10 + (raw & 0x0f);
}

uint8_t encode_hour(int hour, Format format) {
    if (format.hours_to_24) return encode(hour, format);
    const uint8_t of_twelve = encode(hour % 12 == 0 ? 12 : hour % 12, format);
    return static_cast<uint8_t>(of_twelve | (hour >= 12 ? kPm : 0));
}

int decode_hour(uint8_t raw, Format format) {
    if (format.hours_to_24) return decode(raw, format);
    const int hour = decode(static_cast<uint8_t>(raw & ~kPm), format) % 12;
    return (raw & kPm) != 0 ? hour + 12 : hour;
}

}  // namespace carrel::rtc
