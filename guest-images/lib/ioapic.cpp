// I/O APIC driver. One I/O APIC, as the MADT gives it.
#include "lib/ioapic.h"

#include "lib/acpi.h"
#include "lib/apic_x86.h"
#include "lib/physical.h"

namespace guest {
namespace {

// 82093AA, sections 3.1 and 3.2.
constexpr std::uint64_t kSelect = 0x00;
constexpr std::uint64_t kWindow = 0x10;
constexpr std::uint32_t kVersion = 0x01;
constexpr std::uint32_t kRedirection = 0x10;
constexpr std::uint32_t kActiveLow = 1u << 13;
constexpr std::uint32_t kLevel = 1u << 15;
constexpr std::uint32_t kMasked = 1u << 16;

std::uint32_t read(std::uint32_t reg) {
    write_physical<std::uint32_t>(acpi().ioapic_address + kSelect, reg);
    return read_physical<std::uint32_t>(acpi().ioapic_address + kWindow);
}

void write(std::uint32_t reg, std::uint32_t value) {
    write_physical<std::uint32_t>(acpi().ioapic_address + kSelect, reg);
    write_physical<std::uint32_t>(acpi().ioapic_address + kWindow, value);
}

}  // namespace

void ioapic_route(unsigned gsi, unsigned vector, Trigger trigger) {
    const std::uint32_t reg = kRedirection + 2 * (gsi - acpi().ioapic_gsi_base);
    write(reg, kMasked);
    write(reg + 1, local_apic_id() << 24);
    write(reg, vector | (trigger.level ? kLevel : 0) | (trigger.active_low ? kActiveLow : 0));
}

void ioapic_route_isa(unsigned irq, unsigned vector) {
    const IsaInterrupt isa = acpi_isa_interrupt(irq);
    ioapic_route(isa.gsi, vector, {isa.level, isa.active_low});
}

void ioapic_mask(unsigned gsi) {
    write(kRedirection + 2 * (gsi - acpi().ioapic_gsi_base), kMasked);
}

unsigned ioapic_inputs() {
    return (read(kVersion) >> 16 & 0xff) + 1;
}

}  // namespace guest
