// Board: one machine's chips and how they are wired. Reads from top to bottom as the recipe of a machine.
#pragma once

#include <memory>
#include <optional>
#include <span>

#include "devices/acpi_pm.h"
#include "devices/early_console.h"
#include "devices/i8042.h"
#include "devices/pci/config_ports.h"
#include "devices/pci/ecam.h"
#include "devices/pci/host_bridge.h"
#include "devices/pci/pvpanic.h"
#include "devices/pci/root_bus.h"
#include "devices/reset_control.h"
#include "devices/rtc.h"
#include "devices/serial.h"
#include "vmm/base/byte_sink.h"
#include "vmm/base/clock.h"
#include "vmm/base/event_loop.h"
#include "vmm/base/log.h"
#include "vmm/bus/bus.h"
#include "vmm/bus/panic_listener.h"
#include "vmm/bus/power_listener.h"
#include "vmm/kvm/vm.h"
#include "vmm/machine/coalesced_writes.h"
#include "vmm/machine/scan_coalescing.h"
#include "vmm/machine/serial_coalescing.h"
#include "vmm/machine/virtio_devices.h"
#include "vmm/memory/guest_memory.h"
#include "vmm/model/machine_description.h"

namespace carrel {

// What a board is connected to; all of it outlives the board.
struct BoardWiring {
    kvm::Vm& vm;
    GuestMemory& memory;
    const MachineDescription& description;
    EventLoop& io;
    const Clock& clock;
    ByteSink& uarts;           // what they send
    ByteSink& virtio_console;  // what it sends
    RoomListener& input_room;  // told when the guest's console takes input again
    PowerListener& power;
    PanicListener& panics;
    DiskPool& disks;
    Log& log;
};

class Board {
  public:
    explicit Board(const BoardWiring& wiring);
    ~Board();  // io thread, vCPUs ended
    Board(const Board&) = delete;
    Board& operator=(const Board&) = delete;

    // The virtio devices of the description; `sources` outlive the board. Before the guest runs.
    Result<void> add_virtio(const DeviceSources& sources) {
        return virtio_.build(wiring_.description, sources);
    }

    Bus& ports() { return ports_; }
    Bus& mmio() { return mmio_; }
    GuestMemory& memory() { return wiring_.memory; }
    // Of the virtio console, or the serial port where there is none.
    ByteReceiver& console_input();
    void resize_console(WindowSize size);
    bool press_power_button() { return pm_.press_power_button(); }

    // The vCPUs have ended: what they have said is with its sink when this returns.
    void finish_output();

    // vCPU threads. drain_coalesced: before any exit is answered. transmit: true when the data went to the
    // UART whole.
    void drain_coalesced() { coalesced_.drain(); }
    bool transmit(uint16_t port, uint8_t size, std::span<const std::byte> data);

    // io thread. Statistics; no balloon: null.
    std::vector<MalformedChains> malformed() const { return virtio_.malformed(); }
    std::vector<InterfaceTraffic> traffic() const { return virtio_.traffic(); }
    virtio::Balloon* balloon() const { return virtio_.balloon(); }
    // io thread. Ends all I/O that is under way, within `limit`, and takes up none until resume().
    bool quiesce(Nanoseconds limit) { return virtio_.quiesce(limit); }
    void resume() { virtio_.resume(); }
    // io thread. The guest has ended: so has what its devices began, within `limit`, or isn't waited for when
    // they go.
    bool abandon_io(Nanoseconds limit) { return virtio_.abandon(limit); }
    // io thread. The memory quota has room again.
    void memory_came() { virtio_.memory_came(); }
    // All devices in a fixed order, vCPUs stopped, I/O quiesced.
    void save(ByteWriter& writer) const;
    Result<void> restore(ByteReader& reader);

  private:
    const DevicePlace& place_of(DeviceKind kind) const;
    void attach(DeviceKind kind, Device& device);
    void add_early_console();
    void add_pvpanic();
    bool has(DeviceKind kind) const { return wiring_.description.find(kind) != nullptr; }

    BoardWiring wiring_;
    std::unique_ptr<IrqLine> com1_irq_;
    std::unique_ptr<IrqLine> sci_;
    Bus ports_;
    Bus mmio_;
    CoalescedWrites coalesced_;
    const uint64_t com1_;  // the port
    SerialCoalescing serial_coalescing_;
    Serial serial_;
    Rtc rtc_;
    I8042 i8042_;
    AcpiPm pm_;
    ResetControl reset_control_;
    pci::HostBridge host_bridge_;
    pci::RootBus pci_bus_;
    pci::ConfigPorts pci_config_;
    pci::Ecam pci_ecam_;
    std::optional<ScanCoalescing> scan_coalescing_;
    std::optional<SerialCoalescing> early_coalescing_;
    std::optional<EarlyConsole> early_console_;
    VirtioDevices virtio_;
    std::optional<pci::Pvpanic> pvpanic_;  // gives its place back to these
};

}  // namespace carrel
