// Property: a guest that never prints isn't taken for one that hangs. Option ms= (default 1000): powers off
// after so long.
#include "lib/boot_info.h"
#include "lib/clock_x86.h"
#include "lib/guest.h"
#include "lib/sleep_x86.h"

extern "C" void guest_main() {
    guest::clock_init();
    guest::sleep_us(guest::option_number("ms", 1000) * 1000);
    guest::power_off();
}
