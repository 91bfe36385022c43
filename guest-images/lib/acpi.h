// What the ACPI tables say (ACPI 6.5, chapter 5): CPUs, I/O APIC, interrupt overrides, power ports. Missing
// tables leave the defaults, so that a guest can still report and end.
#pragma once
#include <cstdint>

#include "lib/layout_x86.h"

namespace guest {

struct IsaInterrupt {
    unsigned gsi = 0;
    bool level = false;
    bool active_low = false;
};

struct Acpi {
    static constexpr unsigned kIsaIrqs = 16;

    std::uint64_t fadt = 0, madt = 0, dsdt = 0;  // physical addresses, 0 when missing
    std::uint64_t ecam = 0;  // PCI configuration space of bus 0 as memory; 0 without an MCFG
    unsigned bad_checksums = 0;

    unsigned cpu_count = 0;  // enabled CPUs; only MAX_CPUS of them are kept
    std::uint32_t cpu_ids[MAX_CPUS] = {};
    std::uint64_t ioapic_address = 0xfec00000;
    unsigned ioapic_gsi_base = 0;
    IsaInterrupt isa[kIsaIrqs] = {};

    std::uint16_t pm1_event = 0x600;
    std::uint16_t pm1_control = 0x604;
    std::uint8_t pm1_event_length = 4;
    std::uint16_t sci_irq = 9;
    std::uint32_t fadt_flags = 0;
    std::uint16_t reset_port = 0xcf9;
    std::uint8_t reset_value = 0x06;
    std::uint8_t sleep_type_s5 = 5;
};

void acpi_init(std::uint64_t rsdp);
const Acpi& acpi();
IsaInterrupt acpi_isa_interrupt(unsigned irq);
std::uint8_t checksum(std::uint64_t address, std::uint32_t length);  // 0 when the bytes sum up as they should

// The fixed-feature power button: the handler runs in the SCI when it was pressed.
void power_button_enable(void (*pressed)());

}  // namespace guest
