// The library's guest_start: collects what the loader said, brings up exceptions, the console and the local
// APIC, and runs the guest's guest_main. Ends by powering off, so that a guest that simply returns ends well.
#include "lib/acpi.h"
#include "lib/apic_x86.h"
#include "lib/boot_info.h"
#include "lib/guest.h"
#include "lib/interrupts_x86.h"
#include "lib/power_x86.h"
#include "lib/serial.h"

extern "C" void guest_start(unsigned kind, std::uint64_t info) {
    guest::boot_info_init(kind, info);
    guest::interrupts_init();
    guest::serial_init();
    guest::acpi_init(guest::boot_info().rsdp);
    guest::local_apic_enable();
    guest_main();
    guest::power_off();
}
