// Property: a write to the FADT's reset register (port 0xcf9, value 6) resets the machine. Prints one line,
// ends by reset.
#include "lib/acpi.h"
#include "lib/guest.h"

extern "C" void guest_main() {
    using namespace guest;
    print("reset_cf9: port ", Hex{acpi().reset_port}, " value ", Hex{acpi().reset_value}, "\n");
    reset_by_acpi();
}
