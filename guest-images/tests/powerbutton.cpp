// Property: the fixed-feature power button raises the SCI. Prints "ready", sleeps in HLT until it is pressed
// from outside, checks that the status clears, prints PASS, powers off. Without a press it never ends.
#include "lib/acpi.h"
#include "lib/cpu_x86.h"
#include "lib/guest.h"

namespace {

constinit volatile bool pressed = false;

}  // namespace

extern "C" void guest_main() {
    using namespace guest;
    constexpr std::uint16_t kPowerButton = 1u << 8;
    power_button_enable([] { pressed = true; });
    print("ready\n");
    while (!pressed) sleep_until_interrupt();
    if ((in16(acpi().pm1_event) & kPowerButton) != 0) fail("powerbutton", "the status bit doesn't clear");
    pass("powerbutton", "pressed");
}
