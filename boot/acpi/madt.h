// MADT, the Multiple APIC Description Table: the CPUs and the interrupt controllers.
#pragma once

#include "boot/acpi/platform.h"
#include "boot/acpi/table_header.h"

namespace carrel::acpi {

// ACPI 6.5, 5.2.12, table 5.19; the interrupt controller structures follow.
struct [[gnu::packed]] Madt {
    TableHeader header;
    uint32_t local_interrupt_controller_address;
    uint32_t flags;
};
static_assert(sizeof(Madt) == 44);

// 5.2.12.2: a CPU whose APIC id is below 255.
struct [[gnu::packed]] MadtLocalApic {
    uint8_t type;  // 0
    uint8_t length;
    uint8_t acpi_processor_uid;
    uint8_t apic_id;
    uint32_t flags;
};
static_assert(sizeof(MadtLocalApic) == 8);

// 5.2.12.3.
struct [[gnu::packed]] MadtIoApic {
    uint8_t type;  // 1
    uint8_t length;
    uint8_t io_apic_id;
    uint8_t reserved;
    uint32_t io_apic_address;
    uint32_t global_system_interrupt_base;
};
static_assert(sizeof(MadtIoApic) == 12);

// 5.2.12.5: where an ISA interrupt isn't GSI = IRQ, edge-triggered, active high.
struct [[gnu::packed]] MadtInterruptSourceOverride {
    uint8_t type;  // 2
    uint8_t length;
    uint8_t bus;     // 0: ISA
    uint8_t source;  // the ISA interrupt
    uint32_t global_system_interrupt;
    uint16_t flags;  // MPS INTI flags: bits 1-0 polarity, bits 3-2 trigger mode
};
static_assert(sizeof(MadtInterruptSourceOverride) == 10);

// 5.2.12.12: a CPU whose APIC id is 255 or above.
struct [[gnu::packed]] MadtLocalX2Apic {
    uint8_t type;  // 9
    uint8_t length;
    uint16_t reserved;
    uint32_t x2apic_id;
    uint32_t flags;
    uint32_t acpi_processor_uid;
};
static_assert(sizeof(MadtLocalX2Apic) == 16);

// The sealed table. A CPU's processor UID is its APIC id: unique, and fits wherever the id does.
Bytes build_madt(const Platform& platform);

}  // namespace carrel::acpi
