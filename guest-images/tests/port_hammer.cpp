// Property: a guest that hammers unknown ports at full speed harms nobody: reads stay all ones, the log stays
// bounded, the machine can be stopped. Option ms= (default 1000, 0 = for ever). Prints PASS with the number
// of accesses or FAIL, powers off.
#include "lib/boot_info.h"
#include "lib/clock_x86.h"
#include "lib/cpu_x86.h"
#include "lib/guest.h"

extern "C" void guest_main() {
    using namespace guest;
    constexpr std::uint16_t kPorts[] = {0x0100, 0x02f8, 0x5a00, 0x9003, 0xfff0};
    clock_init();
    const std::uint64_t limit = option_number("ms", 1000) * 1000;
    const std::uint64_t start = rdtsc();
    std::uint64_t accesses = 0;
    do {
        for (const std::uint16_t port : kPorts) {
            out8(port, 0x55);
            if (in8(port) != 0xff) fail("port_hammer", "port ", Hex{port}, " isn't all ones");
        }
        accesses += 10;
    } while (limit == 0 || tsc_to_us(rdtsc() - start) < limit);
    pass("port_hammer", accesses, " accesses in ", tsc_to_us(rdtsc() - start) / 1000, " ms");
}
