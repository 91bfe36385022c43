// Property: a guest that prints as fast as it can is never stalled by a slow console, and its last lines
// always appear. Option bytes= (default 262144): numbered lines of 64 bytes, by REP OUTSB, without a look at
// the line status. Then a verdict. Prints PASS, powers off.
#include "lib/boot_info.h"
#include "lib/guest.h"
#include "lib/serial.h"

using namespace guest;

namespace {

constexpr unsigned kLineSize = 64;

constinit char line[kLineSize] = {};

void number_line(std::uint64_t number) {
    for (unsigned i = 0; i < 10; ++i, number /= 10) line[9 - i] = static_cast<char>('0' + number % 10);
}

}  // namespace

extern "C" void guest_main() {
    for (unsigned i = 0; i < kLineSize - 2; ++i) line[i] = static_cast<char>(i == 10 ? ' ' : 'a' + i % 26);
    line[kLineSize - 2] = '\r';
    line[kLineSize - 1] = '\n';
    const std::uint64_t lines = option_number("bytes", 262144) / kLineSize;
    for (std::uint64_t i = 0; i < lines; ++i) {
        number_line(i);
        const char* from = line;
        std::uint64_t count = kLineSize;
        asm volatile("rep outsb" : "+S"(from), "+c"(count) : "d"(kCom1) : "memory");
    }
    pass("flood", lines, " lines");
}
