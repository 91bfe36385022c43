// Where everything lies in the machine's two address spaces. The only place for these numbers; the ACPI
// tables, the devices' wiring and the tiny guests' documentation follow it. (What the loaders put into RAM:
// boot/boot_layout_x86.h.)
//
//   guest-physical memory
//   0x0_0000_0000 ┌──────────────────────────┐
//                 │ low RAM, at most 3 GiB   │
//   0x0_c000_0000 ├──────────────────────────┤ kHoleStart          ┐
//                 │ 32-bit PCI BARs, 512 MiB │ kPciMmio32          │
//   0x0_e000_0000 ├──────────────────────────┤ kEcam               │
//                 │ ECAM: 256 MiB, bus 0 used│                     │
//   0x0_f000_0000 ├──────────────────────────┤                     │ the PCI hole: no RAM, unmapped reads
//                 │ early console, one page  │ kEarlyConsole       │ give all ones
//   0x0_f000_1000 ├──────────────────────────┤                     │
//                 │ free                     │                     │
//   0x0_f001_0000 ├──────────────────────────┤ kVirtioMmio         │
//                 │ virtio-mmio, 32 pages    │ (--transport mmio)  │
//   0x0_f003_0000 ├──────────────────────────┤                     │
//                 │ free                     │                     │
//   0x0_fec0_0000 │ IOAPIC (in KVM)          │ kIoApic             │
//   0x0_fee0_0000 │ local APICs (in KVM)     │ kLocalApic          │
//   0x0_fffb_c000 │ KVM's identity map, TSS  │ Intel only, 4 pages │
//   0x1_0000_0000 ├──────────────────────────┤ kHoleEnd            ┘
//                 │ high RAM, the rest       │
//                 ├──────────────────────────┤ top of RAM, rounded up to 1 GiB
//                 │ 64-bit PCI BARs          │ (issue 4)
//                 └──────────────────────────┘
//
//   ports                                    interrupts (GSI = IOAPIC pin)
//   0x060, 0x064  i8042, reset only           0    PIT (in KVM)
//   0x070, 0x071  CMOS RTC                    4    COM1
//   0x0f4, 0x501  kept free: test-exit        8    (an RTC's: ours has none)
//   0x3f8-0x3ff   COM1                        9    SCI
//   0x600-0x60b   ACPI PM1a, PM timer         16…23 PCI INTx, or virtio-mmio's
//   0xcf8, 0xcfc  PCI configuration           5-7, 10-12, 14, 15: virtio-mmio's, too
//                                            24…  MSI
//   0xcf9         reset control
//   0x1000-0xffff PCI I/O BARs
#pragma once

#include <cstdint>

#include "vmm/model/gpa.h"

namespace carrel::address_map {

inline constexpr Gpa kHoleStart{3 * kGiB};
inline constexpr Gpa kHoleEnd{4 * kGiB};
inline constexpr Gpa kPciMmio32{0xc000'0000};
inline constexpr uint64_t kPciMmio32Size = 512 * kMiB;
inline constexpr Gpa kEcam{0xe000'0000};
inline constexpr Gpa kEarlyConsole{0xf000'0000};
inline constexpr Gpa kVirtioMmio{0xf001'0000};
inline constexpr Gpa kIoApic{0xfec0'0000};
inline constexpr Gpa kLocalApic{0xfee0'0000};
// Intel without unrestricted guest needs these four pages out of RAM (KVM API 4.37 and 4.41).
inline constexpr Gpa kIdentityMap{0xfffb'c000};
inline constexpr Gpa kTss{0xfffb'd000};

inline constexpr uint16_t kI8042Data = 0x60;
inline constexpr uint16_t kRtc = 0x70;
inline constexpr uint16_t kCom1 = 0x3f8;
inline constexpr uint16_t kPm1aEvent = 0x600;    // 4 bytes: status, enable
inline constexpr uint16_t kPm1aControl = 0x604;  // 2 bytes
inline constexpr uint16_t kPmTimer = 0x608;      // 4 bytes
inline constexpr uint16_t kPciConfigAddress = 0xcf8;
inline constexpr uint16_t kResetControl = 0xcf9;
inline constexpr uint16_t kPciConfigData = 0xcfc;
inline constexpr uint16_t kPciIoFirst =
    0x1000;  // I/O BARs: above every port of ours, where Linux begins anyway
inline constexpr uint16_t kPciIoLast = 0xffff;

inline constexpr uint32_t kGsiCom1 = 4;
inline constexpr uint32_t kGsiSci = 9;
inline constexpr uint32_t kGsiPciIntx = 16;
inline constexpr uint32_t kPciSlots = 32;  // of our one bus; the host bridge has the first
inline constexpr uint32_t kPciIntxLines = 8;
inline constexpr uint32_t kIoApicId = 0;
inline constexpr uint32_t kIoApicPins = 24;

// Which GSI the interrupt pin (0 is INTA) of a PCI slot is wired to; _PRT tells the guest the same.
constexpr uint32_t pci_intx_gsi(uint32_t slot, uint32_t pin) {
    return kGsiPciIntx + (slot + pin) % kPciIntxLines;
}

// The GSI of a virtio-mmio device, by the slot that it would have as a PCI function: level-triggered, like
// INTx. Two slots 16 apart share one. Without ACPI a guest has the 8259s' pins only, so the first disks, the
// first network interface and the single devices have those.
constexpr uint32_t virtio_mmio_gsi(uint32_t slot) {
    constexpr uint32_t kGsis[] = {5, 6, 7, 10, 11, 12, 16, 17, 14, 15, 18, 19, 20, 21, 22, 23};
    return kGsis[slot % 16];
}

// Values that software writes to end or restart the machine.
inline constexpr uint8_t kResetControlValue = 0x06;  // PCI reset control register: RST_CPU | SYS_RST
inline constexpr uint8_t kI8042Reset = 0xfe;         // 8042: pulse output line 0
inline constexpr uint8_t kSleepTypeS5 = 5;           // our DSDT's \_S5

}  // namespace carrel::address_map
