#include "vmm/machine/describe_virtio.h"

#include "devices/pci/ecam.h"
#include "devices/virtio/pci_layout.h"
#include "vmm/machine/pci_slots.h"
#include "vmm/model/address_map_x86.h"

namespace carrel {
namespace {

// Where firmware would have put the BAR, and INTA's line.
DevicePlace virtio_place(DeviceKind kind, uint8_t slot) {
    const unsigned pci_slot = pci_slot_of(kind, slot);
    const uint64_t base = raw(address_map::kPciMmio32) + uint64_t{pci_slot} * virtio::kBarSize;
    return {
        kind, slot, AddressSpace::kMemory, base, virtio::kBarSize, address_map::pci_intx_gsi(pci_slot, 0)};
}

}  // namespace

void add_virtio_places(const MachineConfig& config, std::vector<DevicePlace>& places) {
    std::vector<DevicePlace> functions;
    const auto add = [&functions](DeviceKind kind, size_t count) {
        for (uint8_t slot = 0; slot < count; ++slot) functions.push_back(virtio_place(kind, slot));
    };
    add(DeviceKind::kEntropy, config.entropy ? 1 : 0);
    add(DeviceKind::kNet, config.nets.size());
    add(DeviceKind::kDisk, config.disks.size());
    if (functions.empty()) return;
    places.push_back(
        {DeviceKind::kPciEcam, 0, AddressSpace::kMemory, raw(address_map::kEcam), pci::Ecam::kSize, {}});
    places.insert(places.end(), functions.begin(), functions.end());
}

}  // namespace carrel
