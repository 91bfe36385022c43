// Property: what counts as a kernel panic. Prints the lines that the options give and ends as told.
// Options: line="..." line2="..." line3="..." (line defaults to a panic message),
// end=poweroff|reset|triple|halt|spin (default reset). halt and spin never end.
#include "lib/boot_info.h"
#include "lib/cpu_x86.h"
#include "lib/guest.h"

using namespace guest;

namespace {

void print_option(Text name, Text otherwise) {
    const Text line = option(name, otherwise);
    if (!line.empty()) print(line, "\n");
}

}  // namespace

extern "C" void guest_main() {
    print_option("line", "Kernel panic - not syncing: test");
    print_option("line2", {});
    print_option("line3", {});
    const Text end = option("end", "reset");
    if (end == Text("poweroff")) power_off();
    if (end == Text("reset")) reset_by_acpi();
    if (end == Text("triple")) triple_fault();
    if (end == Text("halt")) halt_forever();
    for (;;) pause();
}
