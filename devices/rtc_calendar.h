// The calendar and number formats of an MC146818's time registers, as pure functions.
#pragma once

#include <array>
#include <cstdint>

namespace carrel::rtc {

// The values of the registers, as numbers. What a guest wrote may be out of range.
struct Fields {
    int second, minute, hour, weekday, day, month, year;  // weekday: 1 is Sunday
};

// Data sheet, table 3: how numbers stand in the registers.
struct Format {
    bool binary;       // else BCD
    bool hours_to_24;  // else 1 to 12, with bit 7 for PM
};

// Seconds since 1970-01-01 00:00. Out-of-range fields carry over: month 13 is January of the next year.
int64_t to_seconds(const Fields& fields);
Fields from_seconds(int64_t seconds);

uint8_t encode(int value, Format format);  // 0 to 99
int decode(uint8_t raw, Format format);    // 0 to 255
uint8_t encode_hour(int hour, Format format);
int decode_hour(uint8_t raw, Format format);

}  // namespace carrel::rtc
