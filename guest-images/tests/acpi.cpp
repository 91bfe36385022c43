// Property: the ACPI tables are well formed and describe this machine: checksums, FADT revision 6 and its
// ports and flags, S5 in the DSDT, as many CPUs in the MADT as start, the SCI's override. Prints PASS or
// FAIL, powers off. Option revision= (default 6) is the FADT revision wanted.
#include "lib/acpi.h"

#include "lib/boot_info.h"
#include "lib/clock_x86.h"
#include "lib/cpu_x86.h"
#include "lib/guest.h"
#include "lib/ioapic.h"
#include "lib/physical.h"
#include "lib/smp.h"

using namespace guest;

namespace {

constexpr Text kName = "acpi";

void check_fadt() {
    const std::uint64_t fadt = acpi().fadt;
    if (fadt == 0) fail(kName, "no FADT");
    const auto revision = read_physical<std::uint8_t>(fadt + 8);
    if (revision < option_number("revision", 6)) fail(kName, "the FADT's revision is ", revision);
    if (acpi().pm1_event == 0 || acpi().pm1_control == 0) fail(kName, "no PM1 blocks");
    if (in16(acpi().pm1_event) == 0xffff) fail(kName, "nobody answers at the PM1 event port");
    if (acpi().dsdt == 0) fail(kName, "no DSDT");
    constexpr std::uint32_t kNoFixedButton = 1u << 4;  // 5.2.9, PWR_BUTTON: set means a control-method button
    if ((acpi().fadt_flags & kNoFixedButton) != 0) fail(kName, "the power button isn't the fixed one");
}

void check_cpus() {
    if (acpi().madt == 0) fail(kName, "no MADT");
    const SmpResult result = start_cpus([](unsigned) {});
    if (result.problem != nullptr)
        fail(kName, result.running, " of ", result.listed, " CPUs: ", result.problem);
}

void check_interrupts() {
    if (ioapic_inputs() < 24) fail(kName, "the I/O APIC has ", ioapic_inputs(), " inputs");
    const IsaInterrupt sci = acpi_isa_interrupt(acpi().sci_irq);
    if (!sci.level) fail(kName, "the SCI isn't level triggered");
    if (acpi_isa_interrupt(4).gsi != 4 || acpi_isa_interrupt(4).level)
        fail(kName, "IRQ 4 isn't edge triggered GSI 4");
}

}  // namespace

extern "C" void guest_main() {
    clock_init();
    if (boot_info().rsdp == 0) fail(kName, "the loader gave no RSDP");
    if (acpi().bad_checksums != 0) fail(kName, acpi().bad_checksums, " bad checksums");
    check_fadt();
    check_interrupts();
    check_cpus();
    pass(kName, acpi().cpu_count, " CPUs, S5 is ", acpi().sleep_type_s5, ", SCI GSI ",
         acpi_isa_interrupt(acpi().sci_irq).gsi);
}
