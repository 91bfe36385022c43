// Numbers to digits; no buffer beyond the digits of one number.
#include "lib/print.h"

#include "lib/serial.h"

namespace guest {

void put(Text text) {
    serial_write(text);
}

void put_decimal(std::uint64_t number) {
    char digits[20];
    unsigned start = sizeof(digits);
    do digits[--start] = static_cast<char>('0' + number % 10);
    while ((number /= 10) != 0);
    put(Text(digits + start, sizeof(digits) - start));
}

void put(Hex number) {
    char digits[18];
    unsigned start = sizeof(digits);
    do digits[--start] = "0123456789abcdef"[number.value & 15];
    while ((number.value >>= 4) != 0);
    digits[--start] = 'x';
    digits[--start] = '0';
    put(Text(digits + start, sizeof(digits) - start));
}

void put(TwoDigits number) {
    const char digits[2] = {static_cast<char>('0' + number.value / 10 % 10),
                            static_cast<char>('0' + number.value % 10)};
    put(Text(digits, 2));
}

}  // namespace guest
