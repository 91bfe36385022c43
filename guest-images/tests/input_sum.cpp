// Property: every byte typed arrives, once and in order, by the receive interrupt while the guest sleeps in HLT.
// Option bytes= (default 1000): how many to wait for. Prints "ready", then PASS with their sum and the last one, powers off.
// Without that much input it never ends.
#include "lib/boot_info.h"
#include "lib/cpu_x86.h"
#include "lib/guest.h"
#include "lib/serial.h"

extern "C" void guest_main() {
    using namespace guest;
    const std::uint64_t wanted = option_number("bytes", 1000);
    std::uint64_t sum = 0;
    std::uint64_t order = 0;  // differs when two bytes change places
    serial_input_enable();
    print("ready\n");
    for (std::uint64_t count = 0; count < wanted;) {
        const int byte = serial_input_take();
        if (byte < 0) {
            sleep_until_interrupt();
            continue;
        }
        sum += static_cast<unsigned>(byte);
        order = order * 31 + static_cast<unsigned>(byte);
        ++count;
    }
    pass("input_sum", wanted, " bytes, sum ", sum, ", order ", Hex{order & 0xffffffff});
}
