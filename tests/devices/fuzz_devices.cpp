// Every device behind one bus, driven by random accesses, input, resets, and save and restore: nothing may
// crash, hang, or be refused by its own restore. And restore() of any bytes: never more than an error.
//
// Input: the first byte chooses. Odd: the rest is saved state for one device. Even: the rest is a row of
// commands (see Script).
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "devices/acpi_pm.h"
#include "devices/early_console.h"
#include "devices/i8042.h"
#include "devices/pci/config_ports.h"
#include "devices/pci/host_bridge.h"
#include "devices/reset_control.h"
#include "devices/rtc.h"
#include "devices/serial.h"
#include "tests/devices/fakes.h"
#include "vmm/bus/bus.h"
#include "vmm/model/address_map_x86.h"

using namespace carrel;
using namespace carrel::test;

namespace {

void require(bool condition) {
    if (!condition) std::abort();
}

constexpr uint64_t kEarlyAt = 0x8000;  // with the ports: one bus for all

struct Machine {
    Machine() {
        root.attach(0, bridge);
        serial.set_room_listener(&feeder);
        attach(address_map::kCom1, Serial::kSize, serial);
        attach(address_map::kRtc, Rtc::kSize, rtc);
        attach(address_map::kI8042Data, I8042::kSize, i8042);
        attach(address_map::kPm1aEvent, AcpiPm::kSize, pm);
        attach(address_map::kPciConfigAddress, pci::ConfigPorts::kSize, config_ports);
        attach(kEarlyAt, 256, early);
        bus.publish();
    }
    void attach(uint64_t base, uint64_t size, Device& device) {
        require(bus.attach(base, size, device).ok());
    }

    ManualClock clock;
    FakeIrq irq;
    FakeIrq sci;
    FakeSink sink;
    FakePower power;
    FakeCoalescing coalescing;
    FakeListener feeder;
    Serial serial{irq, sink, &coalescing};
    Rtc rtc{clock};
    I8042 i8042{power};
    EarlyConsole early{sink, coalescing};
    AcpiPm pm{clock, sci, power};
    ResetControl reset_control{power};
    pci::RootBus root;
    pci::HostBridge bridge;
    pci::ConfigPorts config_ports{root, reset_control};
    Bus bus;
};

// Reads commands from the fuzzer's bytes; at the end everything is 0.
class Script {
  public:
    explicit Script(std::span<const std::byte> bytes) : rest_(bytes) {}
    bool done() const { return rest_.empty(); }
    uint8_t byte() {
        if (rest_.empty()) return 0;
        const auto value = std::to_integer<uint8_t>(rest_.front());
        rest_ = rest_.subspan(1);
        return value;
    }
    std::span<const std::byte> bytes(size_t length) {
        const auto taken = rest_.first(std::min(length, rest_.size()));
        rest_ = rest_.subspan(taken.size());
        return taken;
    }

  private:
    std::span<const std::byte> rest_;
};

uint64_t port(Script& script) {
    constexpr std::array<uint64_t, 8> kBases = {address_map::kCom1,          address_map::kRtc,
                                                address_map::kI8042Data,     address_map::kPm1aEvent,
                                                address_map::kPm1aControl,   address_map::kPciConfigAddress,
                                                address_map::kPciConfigData, kEarlyAt};
    const unsigned choice = script.byte();
    return kBases[choice & 7] + (choice >> 3 & 15);
}

// The same state in a machine built anew, which must take it and save it again unchanged.
void rebuild(Machine& machine) {
    Machine copy;
    const auto devices = machine.bus.devices();
    const auto copies = copy.bus.devices();
    for (size_t i = 0; i < devices.size(); ++i) {
        const auto bytes = saved(*devices[i]);
        require(restores(*copies[i], bytes));
        if (devices[i] != &machine.pm) require(saved(*copies[i]) == bytes);
        require(restores(*devices[i], bytes));
    }
    require(copy.irq.level == machine.irq.level && copy.sci.level == machine.sci.level);
}

void run(Machine& machine, Script script) {
    constexpr std::array<size_t, 4> kWidths = {1, 2, 4, 8};
    std::array<std::byte, 8> buffer{};
    while (!script.done()) {
        const unsigned command = script.byte();
        const size_t width = kWidths[command >> 4 & 3];
        switch (command & 15) {
            case 0: machine.serial.receive(script.bytes(command >> 4)); break;
            case 1: machine.serial.receive_break(); break;
            case 2: (void)machine.serial.room(); break;
            case 3: machine.serial.transmit(script.bytes(command >> 4)); break;
            case 4: machine.pm.press_power_button(); break;
            case 5: machine.clock.advance(int64_t{script.byte()} * 7 * kMillisecond); break;
            case 6: rebuild(machine); break;
            case 7: machine.bus.devices()[(command >> 4) % 5]->reset(); break;
            case 8:
            case 9:
            case 10:
            case 11: machine.bus.read(port(script), std::span(buffer).first(width)); break;
            default: {
                const uint64_t where = port(script);
                const auto data = script.bytes(width);
                if (!data.empty()) machine.bus.write(where, data);
            }
        }
    }
}

// Whatever a restore took must work and save; what it refused must be as after a reset.
void restore_anything(Machine& machine, std::span<const std::byte> bytes, unsigned choice) {
    Device& device = *machine.bus.devices()[choice % 5];
    const bool taken = restores(device, bytes);
    require(restores(device, saved(device)));
    std::array<std::byte, 8> buffer{};
    for (uint64_t offset = 0; offset < 12; ++offset) device.read(offset, std::span(buffer).first(1));
    if (!taken) require(!machine.irq.level && !machine.sci.level);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size == 0) return 0;
    const auto bytes = std::as_bytes(std::span(data, size)).subspan(1);
    Machine machine;
    if ((data[0] & 1) != 0)
        restore_anything(machine, bytes, data[0] >> 1);
    else
        run(machine, Script(bytes));
    return 0;
}
