// The small tables: RSDP and XSDT lead to the others, FACS is memory shared with the OS, MCFG tells where
// PCI's configuration space lies in memory.
#pragma once

#include "boot/acpi/table_header.h"

namespace carrel::acpi {

// Root System Description Pointer (ACPI 6.5, 5.2.5.3).
struct [[gnu::packed]] Rsdp {
    std::array<char, 8> signature;
    uint8_t checksum;  // of the first 20 bytes, the whole of ACPI 1.0's RSDP
    std::array<char, 6> oem_id;
    uint8_t revision;
    uint32_t rsdt_address;
    uint32_t length;
    uint64_t xsdt_address;
    uint8_t extended_checksum;  // of all bytes
    std::array<uint8_t, 3> reserved;
};
inline constexpr size_t kRsdpV1Size = 20;
static_assert(offsetof(Rsdp, length) == kRsdpV1Size && sizeof(Rsdp) == 36);

// Firmware ACPI Control Structure (5.2.10): no checksum, a header of its own.
struct [[gnu::packed]] Facs {
    std::array<char, 4> signature;
    uint32_t length;
    uint32_t hardware_signature;
    uint32_t firmware_waking_vector;
    uint32_t global_lock;
    uint32_t flags;
    uint64_t x_firmware_waking_vector;
    uint8_t version;
    std::array<uint8_t, 3> reserved0;
    uint32_t ospm_flags;
    std::array<uint8_t, 24> reserved1;
};
static_assert(offsetof(Facs, version) == 32 && sizeof(Facs) == 64);

// PCI Firmware Specification 3.3, 4.1.2, tables 4-2 and 4-3: one segment group with one range of buses.
struct [[gnu::packed]] Mcfg {
    TableHeader header;
    uint64_t reserved0;
    uint64_t base_address;  // of bus 0
    uint16_t pci_segment_group_number;
    uint8_t start_bus_number;
    uint8_t end_bus_number;
    uint32_t reserved1;
};
static_assert(sizeof(Mcfg) == 60);

}  // namespace carrel::acpi
