#include "vmm/machine/board.h"

#include "vmm/base/check.h"
#include "vmm/model/address_map_x86.h"

namespace carrel {

namespace map = address_map;

Board::Board(const BoardWiring& wiring)
    : wiring_(wiring),
      com1_irq_(wiring.vm.irq_line(map::kGsiCom1)),
      rtc_irq_(wiring.vm.irq_line(map::kGsiRtc)),
      sci_(wiring.vm.irq_line(map::kGsiSci)),
      coalesced_(wiring.vm, ports_, map::kCom1, serial_),
      serial_coalescing_(wiring.vm, wiring.io, coalesced_, map::kCom1),
      serial_(*com1_irq_, wiring.console, &serial_coalescing_),
      rtc_(wiring.clock),
      i8042_(wiring.power),
      pm_(wiring.clock, *sci_, wiring.power),
      reset_control_(wiring.power),
      pci_config_(pci_bus_, reset_control_) {
    serial_.set_room_listener(&wiring.input_room);
    attach(map::kCom1, Serial::kSize, serial_);
    attach(map::kRtc, Rtc::kSize, rtc_);
    attach(map::kI8042Data, I8042::kSize, i8042_);
    attach(map::kPm1aEvent, AcpiPm::kSize, pm_);
    pci_bus_.attach(0, host_bridge_);
    attach(map::kPciConfigAddress, pci::ConfigPorts::kSize, pci_config_);
    ports_.publish();
    mmio_.publish();
    scan_coalescing_.emplace(wiring.vm, wiring.io, coalesced_);
}

Board::~Board() {
    serial_coalescing_.stop();
}

// The board's own map has no overlaps.
void Board::attach(uint64_t base, uint64_t size, Device& device) {
    CHECK(ports_.attach(base, size, device).ok());
}

bool Board::transmit(uint16_t port, uint8_t size, std::span<const std::byte> data) {
    if (port != map::kCom1 || size != 1) return false;
    serial_.transmit(data);
    serial_coalescing_.note_transmit_exit();
    return true;
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
