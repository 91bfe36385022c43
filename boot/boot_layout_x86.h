// What the loaders put into guest RAM, and where. The only place for these numbers.
//
//   0x0000_0000 ┌───────────────────────────┐
//               │ page 0, left zero         │ Linux looks for a BIOS data area here
//   0x0000_1000 ├───────────────────────────┤ kLowStructures
//               │ boot block (below)        │ normally here; elsewhere where an image or a module lies here
//               │ free                      │ Linux puts its real-mode trampoline here and keeps the whole
//               MiB
//   0x0009_fc00 ├───────────────────────────┤ kLowReserved       ┐ told as reserved, as on a PC: EBDA, ROMs;
//               │ ACPI tables               │                    │ the machine puts its tables here
//   0x0010_0000 ├───────────────────────────┤ kLowReservedEnd    ┘
//               │ free                      │
//               │ kernel image              │ from its preferred address (16 MiB) or, with KASLR, any 2 MiB
//               boundary │ free                      │ above; room for unpacking around it is free again
//               afterwards │ initrd                    │ as high as the kernel takes it
//               └───────────────────────────┘ end of low RAM, at most 3 GiB
//
//   boot block: claimed as a whole, after the image and the initrd, at the lowest place that is free
//   +0x0000 boot_params ("zero page"), or hvm_start_info with its lists
//   +0x1000 page tables: PML4, PDPT, 4 page directories: the first 4 GiB one to one, in 2 MiB pages
//   +0x7000 GDT
//   +0x7100 setup_data: seed for the guest's random number generator
//   +0x8000 command line, as long as it is
#pragma once

#include <cstdint>

#include "vmm/model/gpa.h"

namespace carrel::boot::layout {

inline constexpr Gpa kLowStructures{0x1000};
inline constexpr Gpa kLowReserved{0x9'fc00};
inline constexpr Gpa kLowReservedEnd{0x10'0000};
inline constexpr Gpa kIdentityMapEnd{4 * kGiB};

inline constexpr uint64_t kBootParams = 0x0000;
inline constexpr uint64_t kPageTables = 0x1000;
inline constexpr uint64_t kGdt = 0x7000;
inline constexpr uint64_t kSetupData = 0x7100;
inline constexpr uint64_t kCommandLine = 0x8000;

// LOAD_PHYSICAL_ADDR of every distribution's kernel; none is loaded below it (Linux keeps ZONE_DMA free of
// itself).
inline constexpr Gpa kLeastKernelAddress{16 * kMiB};

}  // namespace carrel::boot::layout
