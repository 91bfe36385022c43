// The tables as a whole: which there are, where they lie, how the guest finds them.
//
//   area.base ┌───────┐
//             │ RSDP  │──┐ by its address (Linux boot protocol, PVH) or by a scan for "RSD PTR "
//             │ FACS  │◀─┼─┐
//             │ DSDT  │◀─┼─┤
//             │ FADT  │◀─┼─┼─┐ each on a boundary of 64 bytes, which the FACS needs
//             │ MADT  │◀─┼─┘ │
//             │ MCFG  │◀─┼───┤ with ECAM only
//             │ XSDT  │◀─┘───┘
//             └───────┘
#pragma once

#include "boot/acpi/encode.h"
#include "boot/acpi/platform.h"
#include "vmm/base/result.h"
#include "vmm/memory/guest_memory.h"

namespace carrel::acpi {

// A place in RAM that the memory map given to the guest doesn't call usable.
struct Area {
    Gpa base;  // a multiple of 64, below 4 GiB
    uint64_t size;
};

// The upper part of the BIOS area: never usable RAM on a PC, and the one place where an OS without the RSDP's
// address looks for it (ACPI 6.5, 5.2.5.1). Less than 3 KiB are used with one CPU, 8 bytes more for each
// further one up to APIC id 254 and 16 above: room for more than 7,000 CPUs, beyond KVM_MAX_VCPUS (4,096).
inline constexpr Area kDefaultArea{Gpa{0xe0000}, 128 * kKiB};

// All tables, for being put at `base`; the first byte is the RSDP's. Pure: the same platform, the same bytes.
Bytes build_tables(const Platform& platform, Gpa base);

// Builds the tables and puts them into `area`; gives the RSDP's address. Before the guest runs. An error
// where they don't fit, or where the area isn't RAM.
Result<Gpa> install(const Platform& platform, GuestMemory& memory, Area area = kDefaultArea);

}  // namespace carrel::acpi
