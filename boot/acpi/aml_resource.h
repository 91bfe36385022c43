// Resource descriptors (ACPI 6.5, 6.4): which ports, memory and interrupts a device uses (_CRS), or, for a
// bridge, hands on to what is behind it. Ranges are inclusive: first and last.
#pragma once

#include <cstdint>
#include <vector>

#include "boot/acpi/aml.h"
#include "vmm/model/gpa.h"

namespace carrel::acpi::aml {

struct ResourceDescriptor {
    Bytes bytes;
};

// ResourceTemplate (19.6.117): the descriptors and an End Tag (6.4.2.9), in a buffer.
DataObject resource_template(const std::vector<ResourceDescriptor>& descriptors);

// --- what the device itself uses ---------------------------------------------------------------------------

// IO (6.4.2.5): `length` ports from `base`, fixed, all 16 address lines decoded.
ResourceDescriptor io(uint16_t base, uint8_t length);
// IRQNoFlags (6.4.2.1): ISA interrupt 0 to 15; edge-triggered, active high, not shared.
ResourceDescriptor irq_no_flags(uint32_t irq);
// Memory32Fixed (6.4.3.4): read and write; below 4 GiB.
ResourceDescriptor memory32_fixed(Gpa base, uint32_t size);
// Interrupt (6.4.3.6, Extended Interrupt): one GSI, active high; a level-triggered one may be shared.
enum class Trigger : uint8_t { kLevel = 0, kEdge = 1 };
ResourceDescriptor interrupt(Trigger trigger, uint32_t gsi);

// --- what a bridge hands on (6.4.3.5): fixed, positively decoded ranges, not translated --------------------

// WordBusNumber.
ResourceDescriptor word_bus_number(uint8_t first, uint8_t last);
// WordIO: the entire range, no ISA aliases.
ResourceDescriptor word_io(uint16_t first, uint16_t last);
// DWordMemory and QWordMemory: not cacheable, read and write.
ResourceDescriptor dword_memory(uint32_t first, uint32_t last);
ResourceDescriptor qword_memory(uint64_t first, uint64_t last);

}  // namespace carrel::acpi::aml
