// The embedded default guest: checks its own machine, reports, and answers commands at a prompt on COM1.
// Ends by `poweroff`, by the power button, or as its other commands say. `carrel.run="cmd; cmd"` on the
// command line runs those in place of the prompt and powers off.
#include "default/checks.h"
#include "default/commands.h"
#include "default/line_editor.h"
#include "lib/boot_info.h"
#include "lib/clock_x86.h"
#include "lib/cpu_x86.h"
#include "lib/guest.h"
#include "lib/serial.h"

using namespace guest;

extern "C" void guest_main() {
    clock_init();
    const unsigned failures = check_machine();
    serial_input_enable();
    power_button_init();
    interrupts_on();
    const Text batch = option("carrel.run");
    if (!batch.empty()) run_batch(batch);
    if (failures != 0) print(failures, " checks failed\n");
    print("\nThis is carrel's own guest. Type help for what it can do.\n");
    for (;;) run_command(read_line("carrel> "));
}
