#include "vmm/machine/board.h"

#include "vmm/base/check.h"

namespace carrel {

namespace {

// The register of a UART that sends: its first.
kvm::CoalescedZone transmit_zone(const DevicePlace& place) {
    return {place.space == AddressSpace::kPorts, place.base, 1};
}

// Who is inside a bus at a time: each vCPU, and one for all others (collected writes).
size_t readers_of(const MachineDescription& description) {
    return size_t{description.cpus()} + 1;
}

}  // namespace

Board::Board(const BoardWiring& wiring)
    : wiring_(wiring),
      com1_irq_(wiring.vm.irq_line(place_of(DeviceKind::kCom).gsi.value())),
      sci_(wiring.vm.irq_line(place_of(DeviceKind::kAcpiPm).gsi.value())),
      ports_(readers_of(wiring.description)),
      mmio_(readers_of(wiring.description)),
      coalesced_(wiring.vm, ports_, mmio_),
      com1_(place_of(DeviceKind::kCom).base),
      serial_coalescing_(wiring.vm, wiring.io, coalesced_, transmit_zone(place_of(DeviceKind::kCom))),
      serial_(*com1_irq_, wiring.uarts, &serial_coalescing_),
      rtc_(wiring.clock),
      i8042_(wiring.power),
      pm_(wiring.clock, *sci_, wiring.power),
      reset_control_(wiring.power),
      pci_config_(pci_bus_, reset_control_),
      pci_ecam_(pci_bus_),
      virtio_(VirtioWiring{wiring.vm, wiring.memory, wiring.io, ports_, mmio_, pci_bus_, coalesced_,
                           wiring.virtio_console, wiring.input_room, wiring.disks, wiring.log}) {
    coalesced_.add_stream(transmit_zone(place_of(DeviceKind::kCom)), serial_);
    if (!has(DeviceKind::kVirtioConsole)) serial_.set_room_listener(&wiring.input_room);
    attach(DeviceKind::kCom, serial_);
    attach(DeviceKind::kRtc, rtc_);
    attach(DeviceKind::kI8042, i8042_);
    attach(DeviceKind::kAcpiPm, pm_);
    pci_bus_.attach(0, host_bridge_);
    attach(DeviceKind::kPciConfig, pci_config_);
    if (has(DeviceKind::kPciEcam)) attach(DeviceKind::kPciEcam, pci_ecam_);
    if (has(DeviceKind::kEarlyConsole)) add_early_console();
    if (has(DeviceKind::kPvpanic)) add_pvpanic();
    ports_.publish();
    mmio_.publish();
    scan_coalescing_.emplace(wiring.vm, wiring.io, coalesced_);
}

Board::~Board() {
    serial_coalescing_.stop();
    if (early_coalescing_) early_coalescing_->stop();
}

void Board::add_early_console() {
    const kvm::CoalescedZone zone = transmit_zone(place_of(DeviceKind::kEarlyConsole));
    early_coalescing_.emplace(wiring_.vm, wiring_.io, coalesced_, zone);
    early_console_.emplace(wiring_.uarts, *early_coalescing_);
    coalesced_.add_stream(zone, *early_console_);
    attach(DeviceKind::kEarlyConsole, *early_console_);
}

void Board::add_pvpanic() {
    const DevicePlace& place = place_of(DeviceKind::kPvpanic);
    pvpanic_.emplace(virtio_, wiring_.panics, static_cast<uint32_t>(place.base));
    pci_bus_.attach(place.pci_slot, *pvpanic_);
}

// Whoever describes a machine names all of the board's devices.
const DevicePlace& Board::place_of(DeviceKind kind) const {
    const DevicePlace* const place = wiring_.description.find(kind);
    CHECK(place != nullptr);
    return *place;
}

// The board's own places don't overlap.
void Board::attach(DeviceKind kind, Device& device) {
    const DevicePlace& place = place_of(kind);
    Bus& bus = place.space == AddressSpace::kPorts ? ports_ : mmio_;
    CHECK(bus.attach(place.base, place.size, device).ok());
}

bool Board::transmit(uint16_t port, uint8_t size, std::span<const std::byte> data) {
    if (port != com1_ || size != 1) return false;
    serial_.transmit(data);
    serial_coalescing_.note_exit();
    return true;
}

ByteReceiver& Board::console_input() {
    if (virtio_.console() != nullptr) return *virtio_.console();
    return serial_;
}

void Board::resize_console(WindowSize size) {
    if (virtio_.console() != nullptr) virtio_.console()->resize(size);
}

void Board::finish_output() {
    drain_coalesced();
    if (virtio_.console() != nullptr) virtio_.console()->notify(virtio::kConsoleTransmit);
}

void Board::save(ByteWriter& writer) const {
    for (const Device* device : ports_.devices()) device->save(writer);
    for (const Device* device : mmio_.devices()) device->save(writer);
}

Result<void> Board::restore(ByteReader& reader) {
    for (Device* device : ports_.devices()) TRY(device->restore(reader));
    for (Device* device : mmio_.devices()) TRY(device->restore(reader));
    return {};
}

}  // namespace carrel
