#include "vmm/machine/describe_virtio.h"

#include "devices/pci/ecam.h"
#include "devices/pci/pvpanic.h"
#include "devices/virtio/mmio_layout.h"
#include "devices/virtio/pci_layout.h"
#include "vmm/machine/pci_slots.h"
#include "vmm/model/address_map_x86.h"

namespace carrel {
namespace {

// Where firmware would have put the BARs, and INTA's line.
DevicePlace pci_place(DeviceKind kind, uint8_t slot, uint8_t pci_slot) {
    const uint64_t base = raw(address_map::kPciMmio32) + uint64_t{pci_slot} * virtio::kBarSize;
    const auto ports = static_cast<uint16_t>(address_map::kPciIoFirst + pci_slot * virtio::kDoorbellPorts);
    return {kind,
            slot,
            AddressSpace::kMemory,
            base,
            virtio::kBarSize,
            address_map::pci_intx_gsi(pci_slot, 0),
            Transport::kPci,
            ports,
            pci_slot};
}

// In the same order, for the same reason: another kind never moves it.
DevicePlace mmio_place(DeviceKind kind, uint8_t slot, uint8_t pci_slot) {
    const uint64_t base = raw(address_map::kVirtioMmio) + uint64_t{pci_slot} * virtio::kMmioSize;
    return {kind,
            slot,
            AddressSpace::kMemory,
            base,
            virtio::kMmioSize,
            address_map::virtio_mmio_gsi(pci_slot),
            Transport::kMmio};
}

DevicePlace pvpanic_place() {
    DevicePlace place = pci_place(DeviceKind::kPvpanic, 0, pci_slot_of(DeviceKind::kPvpanic, 0, 1));
    place.size = pci::Pvpanic::kSize;
    place.gsi.reset();
    return place;
}

}  // namespace

void add_virtio_places(const MachineConfig& config, std::vector<DevicePlace>& places) {
    const bool pci = config.transport == Transport::kPci;
    std::vector<DevicePlace> devices;
    const auto place = pci ? pci_place : mmio_place;
    const auto add = [&](DeviceKind kind, size_t count) {
        for (uint8_t slot = 0; slot < count; ++slot)
            devices.push_back(place(kind, slot, pci_slot_of(kind, slot, count)));
    };
    add(DeviceKind::kEntropy, config.entropy ? 1 : 0);
    add(DeviceKind::kBalloon, config.balloon ? 1 : 0);
    add(DeviceKind::kVsock, config.vsock ? 1 : 0);
    add(DeviceKind::kNet, config.nets.size());
    add(DeviceKind::kVirtioConsole, config.console == ConsoleKind::kVirtio ? 1 : 0);
    add(DeviceKind::kDisk, config.disks.size());
    if (pci && !devices.empty()) {
        devices.push_back(pvpanic_place());
        places.push_back(
            {DeviceKind::kPciEcam, 0, AddressSpace::kMemory, raw(address_map::kEcam), pci::Ecam::kSize, {}});
    }
    places.insert(places.end(), devices.begin(), devices.end());
}

}  // namespace carrel
