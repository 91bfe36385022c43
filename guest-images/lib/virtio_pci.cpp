#include "lib/virtio_pci.h"

#include "lib/clock_x86.h"

namespace guest {
namespace {

constexpr std::uint16_t kVendor = 0x1af4, kDeviceBase = 0x1040;  // 4.1.2

// 4.1.4, struct virtio_pci_cap
constexpr unsigned kCapType = 3, kCapOffset = 8, kCapMultiplier = 16;
enum CapType : std::uint8_t { kCommonCap = 1, kNotifyCap = 2, kIsrCap = 3, kDeviceCap = 4, kAccessCap = 5 };

}  // namespace

const char* virtio_name(unsigned type) {
    switch (type) {
        case kVirtioNet: return "net";
        case kVirtioBlock: return "blk";
        case kVirtioConsole: return "console";
        case kVirtioEntropy: return "rng";
        case kVirtioBalloon: return "balloon";
        case kVirtioVsock: return "vsock";
        default: return "virtio";
    }
}

void VirtioPci::note(unsigned capability) {
    const auto offset = pci_read<std::uint32_t>(slot_, capability + kCapOffset);
    switch (pci_read<std::uint8_t>(slot_, capability + kCapType)) {
        case kCommonCap: common_ = offset; break;
        case kNotifyCap:
            notify_ = offset;
            multiplier_ = pci_read<std::uint32_t>(slot_, capability + kCapMultiplier);
            break;
        case kIsrCap: isr_ = offset; break;
        case kDeviceCap: device_ = offset; break;
        case kAccessCap: window_ = capability; break;
        default: break;
    }
}

bool VirtioPci::open(unsigned slot) {
    if (pci_read<std::uint16_t>(slot, kPciVendor) != kVendor) return false;
    const auto device = pci_read<std::uint16_t>(slot, kPciDevice);
    if (device < kDeviceBase) return false;
    *this = VirtioPci();
    slot_ = slot;
    type_ = device - kDeviceBase;
    bar_ = pci_read<std::uint32_t>(slot, kPciBar0) & ~0xfu;
    for (unsigned at = 0; (at = pci_capability(slot, kPciVendorCapability, at)) != 0;) note(at);
    msix_ = pci_capability(slot, kPciMsixCapability);
    if (msix_ != 0) msix_table_ = pci_read<std::uint32_t>(slot, msix_ + 4) & ~7u;
    pci_write<std::uint16_t>(slot, kPciCommand, kPciDecodeMemory | kPciMaster);
    return true;
}

std::uint64_t VirtioPci::offered() const {
    put<std::uint32_t>(kDeviceFeatureSelect, 1);
    const std::uint64_t high = get<std::uint32_t>(kDeviceFeature);
    put<std::uint32_t>(kDeviceFeatureSelect, 0);
    return high << 32 | get<std::uint32_t>(kDeviceFeature);
}

void VirtioPci::accept(std::uint64_t features) const {
    for (std::uint32_t half = 0; half < 2; ++half) {
        put(kDriverFeatureSelect, half);
        put(kDriverFeature, static_cast<std::uint32_t>(features >> half * 32));
    }
}

bool VirtioPci::reset(std::uint64_t patience) const {
    set_status(0);
    const std::uint64_t start = rdtsc();
    while (status() != 0)
        if (tsc_to_us(rdtsc() - start) > patience) return false;
    return true;
}

bool VirtioPci::negotiate(std::uint64_t features) const {
    set_status(kVirtioAcknowledge);
    set_status(kVirtioAcknowledge | kVirtioDriver);
    accept(features);
    set_status(kVirtioAcknowledge | kVirtioDriver | kVirtioFeaturesOk);
    return (status() & kVirtioFeaturesOk) != 0;
}

std::uint16_t VirtioPci::largest(unsigned queue) const {
    put(kQueueSelect, static_cast<std::uint16_t>(queue));
    return get<std::uint16_t>(kQueueSize);
}

void VirtioPci::set_area(unsigned reg, std::uint64_t address) const {
    put(reg, static_cast<std::uint32_t>(address));
    put(reg + 4, static_cast<std::uint32_t>(address >> 32));
}

void VirtioPci::set_queue(unsigned queue, const QueuePlace& place) const {
    put(kQueueSelect, static_cast<std::uint16_t>(queue));
    put(kQueueSize, place.size);
    set_area(kQueueDescriptors, place.descriptors);
    set_area(kQueueDriverArea, place.driver_area);
    set_area(kQueueDeviceArea, place.device_area);
    put<std::uint16_t>(kQueueEnable, 1);
}

void VirtioPci::move(std::uint32_t to) {
    pci_write(slot_, kPciBar0, to);
    bar_ = to;
}

void VirtioPci::set_vector(unsigned vector, std::uint64_t address, std::uint32_t data, bool masked) const {
    const std::uint64_t entry = msix_table() + std::uint64_t{vector} * 16;  // PCI 3.0, 6.8.2.6
    write_physical(entry, static_cast<std::uint32_t>(address));
    write_physical(entry + 4, static_cast<std::uint32_t>(address >> 32));
    write_physical(entry + 8, data);
    write_physical<std::uint32_t>(entry + 12, masked ? 1 : 0);
}

}  // namespace guest
