#include "vmm/machine/virtio_devices.h"

#include <fmt/format.h>

#include "devices/virtio/block/block.h"
#include "devices/virtio/entropy.h"
#include "devices/virtio/loop_runner.h"
#include "devices/virtio/vsock/vsock.h"
#include "vmm/base/check.h"

namespace carrel {

VirtioDevices::~VirtioDevices() {
    for (const auto& page : pages_) place(*page, AddressSpace::kMemory, std::nullopt, virtio::kMmioSize);
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
            TRY_ASSIGN(device,
                       virtio::Block::create(wiring_.io, disk.image, disk.id, *disk.throttle, &wiring_.log));
            break;
        }
        case DeviceKind::kNet: {
            CHECK(place.slot < sources.nets.size());
            const NetSource& net = sources.nets[place.slot];
            auto made = std::make_unique<virtio::Net>(*net.backend, virtio::NetIdentity{net.mac, net.mtu},
                                                      virtio::NetThrottles{*net.receive, *net.send});
            nets_.push_back(made.get());
            device = std::move(made);
            break;
        }
        case DeviceKind::kVirtioConsole: device = make_console(); break;
        case DeviceKind::kVsock:
            CHECK(sources.vsock != nullptr);
            device = std::make_unique<virtio::Vsock>(*sources.vsock, wiring_.io);
            break;
        case DeviceKind::kBalloon: device = make_balloon(sources.balloon); break;
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

std::unique_ptr<virtio::Balloon> VirtioDevices::make_balloon(const BalloonOptions& options) {
    auto balloon =
        std::make_unique<virtio::Balloon>(static_cast<uint32_t>(options.size / virtio::kBalloonPageSize));
    balloon_ = balloon.get();
    if (options.statistics != 0) balloon_poll_.emplace(wiring_.io, *balloon_, options.statistics);
    return balloon;
}

// Disks have threads beside the io thread: a request may keep one of them busy for long.
Result<std::unique_ptr<virtio::DeviceRunner>> VirtioDevices::runner_for(const DevicePlace& place,
                                                                        virtio::VirtioDevice& device) {
    std::unique_ptr<virtio::DeviceRunner> runner;
    if (place.kind == DeviceKind::kDisk) {
        TRY_ASSIGN(runner,
                   wiring_.disks.runner_for(fmt::format("disk-{}", place.slot), device, wiring_.io.charge()));
    } else {
        TRY_ASSIGN(runner, virtio::LoopRunner::create(wiring_.io, device));
    }
    return runner;
}

Result<void> VirtioDevices::add_function(const DevicePlace& place, virtio::VirtioDevice& device,
                                         bool packed_rings) {
    const virtio::PciWiring wiring{wiring_.memory, *this, wiring_.vm.message_interrupts(),
                                   wiring_.vm.doorbells(), packed_rings};
    TRY_ASSIGN(auto runner, runner_for(place, device));
    TRY_ASSIGN(auto function, virtio::PciTransport::create(device, std::move(runner), wiring,
                                                           {static_cast<uint32_t>(place.base), place.ports},
                                                           wiring_.vm.irq_line(place.gsi.value())));
    wiring_.pci.attach(place.pci_slot, *function);
    functions_.push_back(std::move(function));
    return {};
}

Result<void> VirtioDevices::add_page(const DevicePlace& place, virtio::VirtioDevice& device,
                                     bool packed_rings) {
    const virtio::MmioWiring wiring{wiring_.memory, wiring_.vm.doorbells(), place.base, packed_rings};
    TRY_ASSIGN(auto runner, runner_for(place, device));
    auto page = std::make_unique<virtio::MmioTransport>(device, std::move(runner), wiring,
                                                        wiring_.vm.irq_line(place.gsi.value()));
    CHECK(this->place(*page, place.space, place.base, place.size));  // a description has each place once
    pages_.push_back(std::move(page));
    return {};
}

// Behind one that isn't quiet yet the others aren't waited for.
bool VirtioDevices::quiesce(Nanoseconds limit) {
    bool quiet = true;
    for (const auto& device : devices_) quiet = device->quiesce(quiet ? limit : 0) && quiet;
    return quiet;
}

bool VirtioDevices::abandon(Nanoseconds limit) {
    bool ended = true;
    for (const auto& device : devices_) ended = device->abandon(ended ? limit : 0) && ended;
    return ended;
}

void VirtioDevices::resume() {
    for (const auto& device : devices_) device->resume();
}

void VirtioDevices::memory_came() {
    for (const auto& device : devices_) device->memory_came();
}

std::vector<MalformedChains> VirtioDevices::malformed() const {
    std::vector<MalformedChains> all;
    std::map<std::string_view, unsigned> numbers;  // within a kind
    for (const auto& device : devices_)
        all.push_back({fmt::format("{} {}", device->name(), numbers[device->name()]++), device->malformed()});
    return all;
}

std::vector<InterfaceTraffic> VirtioDevices::traffic() const {
    std::vector<InterfaceTraffic> all;
    for (const virtio::Net* net : nets_) {
        const NetBackend& backend = net->backend();
        all.push_back({fmt::format("{} {} ({})", net->name(), all.size(), backend.name()), net->counters(),
                       backend.losses()});
    }
    return all;
}

bool VirtioDevices::place(Device& registers, AddressSpace space, std::optional<uint64_t> base,
                          uint64_t size) {
    MutexLock lock(mutex_);
    Bus& bus = space == AddressSpace::kPorts ? wiring_.ports : wiring_.mmio;
    if (const auto before = places_.find(&registers); before != places_.end()) {
        bus.detach(registers, before->second);
        places_.erase(before);
    }
    // RAM is KVM's to answer for: a BAR over it would never be seen.
    const bool ram =
        base && space == AddressSpace::kMemory && wiring_.memory.map().overlaps(Gpa{*base}, size);
    const bool placed = base && !ram && bus.attach(*base, size, registers).ok();
    if (placed) places_.emplace(&registers, *base);
    bus.publish();
    return placed;
}

}  // namespace carrel
