// Which PCI slot a device has: devices/pci/root_bus.h has the plan.
#pragma once

#include "vmm/base/check.h"
#include "vmm/model/machine_description.h"

namespace carrel {

constexpr unsigned kFirstEntropySlot = 0x02;
constexpr unsigned kFirstDiskSlot = 0x10;

// `slot` counts within the kind.
inline unsigned pci_slot_of(DeviceKind kind, unsigned slot) {
    CHECK(kind == DeviceKind::kEntropy || kind == DeviceKind::kDisk);
    return (kind == DeviceKind::kDisk ? kFirstDiskSlot : kFirstEntropySlot) + slot;
}

}  // namespace carrel
