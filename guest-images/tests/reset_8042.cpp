// Property: command 0xfe to the keyboard controller's port 0x64 resets the machine, though no 8042 is
// announced. Prints one line, ends by reset.
#include "lib/guest.h"

extern "C" void guest_main() {
    guest::print("reset_8042: command 0xfe to port 0x64\n");
    guest::reset_by_keyboard();
}
