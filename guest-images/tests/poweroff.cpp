// Property: ACPI S5 ends the machine. Prints PASS and powers off, by the ports and SLP_TYP that the tables
// give.
#include "lib/guest.h"

extern "C" void guest_main() {
    guest::pass("poweroff", "S5 next");
}
