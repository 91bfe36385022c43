// print("text ", number, Hex{x}, ...): everything goes to COM1, polled. Only one CPU may print at a time.
#pragma once
#include <concepts>
#include <cstdint>

#include "lib/text.h"

namespace guest {

struct Hex {
    std::uint64_t value;
};
struct TwoDigits {  // 7 as "07"
    unsigned value;
};

void put(Text text);
void put(Hex number);
void put(TwoDigits number);
void put_decimal(std::uint64_t number);
inline void put(const char* text) {
    put(Text(text));
}
template <std::unsigned_integral T>
void put(T number) {
    put_decimal(number);
}

template <typename... Parts>
void print(const Parts&... parts) {
    (put(parts), ...);
}

}  // namespace guest
