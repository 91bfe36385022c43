// Which PCI slot a device has: devices/pci/root_bus.h has the plan.
#pragma once

#include "vmm/base/check.h"
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

// `slot` counts within the kind.
inline unsigned pci_slot_of(DeviceKind kind, unsigned slot) {
    const unsigned first = first_pci_slot(kind);
    CHECK(first != 0);
    return first + slot;
}

}  // namespace carrel
