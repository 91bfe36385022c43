// Which PCI slot a device has: devices/pci/root_bus.h has the plan.
#pragma once

#include <algorithm>
#include <cstdint>

#include "vmm/base/check.h"
#include "vmm/model/address_map_x86.h"
#include "vmm/model/machine_description.h"

namespace carrel {

// The first of a kind; 0: the kind isn't a PCI function of a slot of its own.
constexpr unsigned first_pci_slot(DeviceKind kind) {
    switch (kind) {
        case DeviceKind::kPvpanic: return 0x01;
        case DeviceKind::kEntropy: return 0x02;
        case DeviceKind::kBalloon: return 0x03;
        case DeviceKind::kVsock: return 0x04;
        case DeviceKind::kVirtioConsole: return 0x05;
        case DeviceKind::kNet: return 0x08;
        case DeviceKind::kDisk: return 0x10;
        default: return 0;
    }
}

// `slot` counts within the kind, of which there are `count`. More disks than there is room for behind their
// place begin earlier, where network interfaces leave it (check(MachineConfig) knows), so that a guest finds
// them in order.
inline uint8_t pci_slot_of(DeviceKind kind, size_t slot, size_t count) {
    const size_t first = first_pci_slot(kind);
    CHECK(first != 0 && count <= address_map::kPciSlots);
    return static_cast<uint8_t>(std::min(first, address_map::kPciSlots - count) + slot);
}

}  // namespace carrel
