// PCI configuration space of bus 0, function 0 of each slot, by its two ways in: the ports 0xcf8 and 0xcfc
// (PCI 3.0, 3.2.2.3.2), and memory where the MCFG names it (PCI Express 5.0, 7.2.2). T is 1, 2 or 4 bytes.
#pragma once
#include <cstdint>

#include "lib/acpi.h"
#include "lib/cpu_x86.h"
#include "lib/physical.h"

namespace guest {

// PCI 3.0, 6.1 to 6.2.5 and 6.8.2.
constexpr unsigned kPciSlots = 32;
constexpr unsigned kPciVendor = 0x00, kPciDevice = 0x02, kPciCommand = 0x04, kPciBar0 = 0x10,
                   kPciCapabilities = 0x34;
constexpr std::uint16_t kPciDecodeMemory = 2, kPciMaster = 4, kPciNoIntx = 0x400;
constexpr std::uint8_t kPciVendorCapability = 0x09, kPciMsixCapability = 0x11, kPciResetCapability = 0x13;
constexpr unsigned kMsixControl = 2;  // from the capability's start
constexpr std::uint16_t kMsixEnable = 0x8000, kMsixFunctionMask = 0x4000;

constexpr std::uint16_t kPciAddressPort = 0xcf8, kPciDataPort = 0xcfc;

inline std::uint16_t pci_select(unsigned slot, unsigned offset) {
    out32(kPciAddressPort, 0x80000000u | slot << 11 | (offset & 0xfc));
    return static_cast<std::uint16_t>(kPciDataPort + (offset & 3));
}

template <typename T>
T pci_read(unsigned slot, unsigned offset) {
    const std::uint16_t port = pci_select(slot, offset);
    if constexpr (sizeof(T) == 1) return in8(port);
    if constexpr (sizeof(T) == 2) return in16(port);
    if constexpr (sizeof(T) == 4) return in32(port);
}

template <typename T>
void pci_write(unsigned slot, unsigned offset, T value) {
    const std::uint16_t port = pci_select(slot, offset);
    if constexpr (sizeof(T) == 1) out8(port, value);
    if constexpr (sizeof(T) == 2) out16(port, value);
    if constexpr (sizeof(T) == 4) out32(port, value);
}

// Where a register lies in memory; offsets to 4095.
inline std::uint64_t ecam_address(unsigned slot, unsigned offset) {
    return acpi().ecam + (slot << 15 | offset);
}

// The first capability with this id behind `after` (0: from the start); 0 when there is none (6.7).
inline unsigned pci_capability(unsigned slot, std::uint8_t id, unsigned after = 0) {
    unsigned at = pci_read<std::uint8_t>(slot, after == 0 ? kPciCapabilities : after + 1);
    for (unsigned looked = 0; at != 0 && looked < 64; ++looked) {
        if (pci_read<std::uint8_t>(slot, at) == id) return at;
        at = pci_read<std::uint8_t>(slot, at + 1);
    }
    return 0;
}

}  // namespace guest
