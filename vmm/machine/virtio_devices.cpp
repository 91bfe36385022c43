#include "vmm/machine/virtio_devices.h"

#include <fmt/format.h>

#include "devices/virtio/block/block.h"
#include "devices/virtio/entropy.h"
#include "devices/virtio/net/net.h"
#include "vmm/base/check.h"
#include "vmm/machine/pci_slots.h"

namespace carrel {

VirtioDevices::~VirtioDevices() {
    for (const auto& page : pages_) place(*page, std::nullopt, virtio::kMmioSize);
    pages_.clear();  // they reset their devices
    functions_.clear();
}

Result<void> VirtioDevices::build(const MachineDescription& description, const DeviceSources& sources) {
    for (const DevicePlace& place : description.devices) {
        TRY_ASSIGN(auto device, make(place, sources));
        if (!device) continue;
        devices_.push_back(std::move(device));
        virtio::VirtioDevice& added = *devices_.back();
        const bool packed = description.packed_rings;
        TRY(place.transport == Transport::kMmio ? add_page(place, added, packed)
                                                : add_function(place, added, packed));
    }
    return {};
}

Result<std::unique_ptr<virtio::VirtioDevice>> VirtioDevices::make(const DevicePlace& place,
                                                                  const DeviceSources& sources) {
    std::unique_ptr<virtio::VirtioDevice> device;
    switch (place.kind) {
        case DeviceKind::kEntropy: device = std::make_unique<virtio::Entropy>(); break;
        case DeviceKind::kDisk: {
            CHECK(place.slot < sources.disks.size());
            const DiskSource& disk = sources.disks[place.slot];
            TRY_ASSIGN(device, virtio::Block::create(wiring_.io, disk.image, disk.id));
            break;
        }
        case DeviceKind::kNet: {
            CHECK(place.slot < sources.nets.size());
            const NetSource& net = sources.nets[place.slot];
            device = std::make_unique<virtio::Net>(*net.backend, virtio::NetIdentity{net.mac, net.mtu});
            break;
        }
        case DeviceKind::kVirtioConsole: device = make_console(); break;
        default: break;  // the board's own
    }
    return device;
}

// What a UART has been told and KVM has collected comes before what the console says now.
std::unique_ptr<virtio::Console> VirtioDevices::make_console() {
    auto console = std::make_unique<virtio::Console>(wiring_.console, wiring_.input_room, wiring_.io.clock(),
                                                     [this] { wiring_.coalesced.drain(); });
    console_ = console.get();
    return console;
}

Result<void> VirtioDevices::add_function(const DevicePlace& place, virtio::VirtioDevice& device,
                                         bool packed_rings) {
    const virtio::PciWiring wiring{
        wiring_.io,  wiring_.memory, *this, wiring_.vm.message_interrupts(), wiring_.vm.doorbells(),
        packed_rings};
    TRY_ASSIGN(auto function, virtio::PciTransport::create(device, wiring, static_cast<uint32_t>(place.base),
                                                           wiring_.vm.irq_line(place.gsi.value())));
    wiring_.pci.attach(pci_slot_of(place.kind, place.slot), *function);
    functions_.push_back(std::move(function));
    return {};
}

Result<void> VirtioDevices::add_page(const DevicePlace& place, virtio::VirtioDevice& device,
                                     bool packed_rings) {
    const virtio::MmioWiring wiring{wiring_.io, wiring_.memory, wiring_.vm.doorbells(), place.base,
                                    packed_rings};
    TRY_ASSIGN(auto page,
               virtio::MmioTransport::create(device, wiring, wiring_.vm.irq_line(place.gsi.value())));
    CHECK(this->place(*page, place.base, place.size));  // a description has each place once
    pages_.push_back(std::move(page));
    return {};
}

bool VirtioDevices::quiesce(Nanoseconds limit) {
    bool quiet = true;
    for (const auto& device : devices_) quiet = device->quiesce(limit) && quiet;
    return quiet;
}

void VirtioDevices::resume() {
    for (const auto& device : devices_) device->resume();
}

std::vector<MalformedChains> VirtioDevices::malformed() const {
    std::vector<MalformedChains> all;
    std::map<std::string_view, unsigned> numbers;  // within a kind
    for (const auto& device : devices_)
        all.push_back({fmt::format("{} {}", device->name(), numbers[device->name()]++), device->malformed()});
    return all;
}

bool VirtioDevices::place(Device& registers, std::optional<uint64_t> base, uint64_t size) {
    MutexLock lock(mutex_);
    if (const auto before = places_.find(&registers); before != places_.end()) {
        wiring_.mmio.detach(registers, before->second);
        places_.erase(before);
    }
    // RAM is KVM's to answer for: a BAR over it would never be seen.
    const bool ram = base && wiring_.memory.map().overlaps(Gpa{*base}, size);
    const bool placed = base && !ram && wiring_.mmio.attach(*base, size, registers).ok();
    if (placed) places_.emplace(&registers, *base);
    wiring_.mmio.publish();
    return placed;
}

}  // namespace carrel
