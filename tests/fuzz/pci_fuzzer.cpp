// A guest at configuration space: both ways in (ports and ECAM), by every width and at every offset, with two
// functions whose BARs it moves over each other, over ECAM and over RAM. What is read-only stays, no two
// functions answer in one place, nobody answers over RAM, and what is saved can be restored.
#include "devices/pci/config_ports.h"
#include "devices/pci/ecam.h"
#include "devices/pci/host_bridge.h"
#include "devices/virtio/entropy.h"
#include "devices/virtio/pci_transport.h"
#include "tests/fuzz/script.h"
#include "tests/virtio/pci_rig.h"
#include "vmm/bus/bus.h"

using namespace carrel;
using namespace carrel::virtio;
using namespace carrel::virtio::test;
using carrel::test::require;
using carrel::test::Script;

namespace {

constexpr uint64_t kEcamBase = 0xe000'0000;
constexpr std::array<unsigned, 2> kSlots = {0x02, 0x1f};
constexpr std::array<uint32_t, 8> kPlaces = {kBarBase, kBarBase + kBarSize, 0xe000'0000, 0xffff'8000,
                                             0,        0xd000'0000,         0xe000'8000, 0xfee0'0000};

// As the machine does it (vmm/machine/virtio_devices.cpp), on a bus of its own.
class Space final : public pci::BarSpace {
  public:
    Space(Bus& bus, const GuestMemory& memory) : bus_(bus), memory_(memory) {}
    bool place(Device& registers, AddressSpace, std::optional<uint64_t> base, uint64_t size) override {
        if (const auto before = places.find(&registers); before != places.end()) {
            bus_.detach(registers, before->second);
            places.erase(before);
        }
        const bool ram = base && memory_.map().overlaps(Gpa{*base}, size);
        const bool placed = base && !ram && bus_.attach(*base, size, registers).ok();
        if (placed) places.emplace(&registers, *base);
        bus_.publish();
        return placed;
    }
    std::map<const Device*, uint64_t> places;

  private:
    Bus& bus_;
    const GuestMemory& memory_;
};

class NoReset final : public Device {
  public:
    std::string_view name() const override { return "reset"; }
    void read(uint64_t, std::span<std::byte> data) override { fill_ones(data); }
    void write(uint64_t, std::span<const std::byte>) override {}
};

struct Function {
    Function(Surroundings& around, Space& space, unsigned slot)
        : transport(PciTransport::create(device, LoopRunner::create(*around.loop, device).value(),
                                         {*around.memory, space, messages, doorbells},
                                         {kBarBase + slot * kBarSize, {}},
                                         std::make_unique<ForwardedIrq<carrel::test::FakeIrq>>(irq))
                        .value()) {}
    Entropy device;
    FakeMessages messages;
    FakeDoorbells doorbells;
    carrel::test::FakeIrq irq;
    std::unique_ptr<PciTransport> transport;
};

// Once: fresh memory for each run would be most of its time.
Surroundings& surroundings() {
    static Surroundings around;
    return around;
}

struct Machine {
    Machine() {
        pci.attach(0, bridge);
        pci.attach(kSlots[0], *first.transport);
        pci.attach(kSlots[1], *second.transport);
        require(mmio.attach(kEcamBase, pci::Ecam::kSize, ecam).ok());
        mmio.publish();
    }
    std::vector<std::byte> saved() const {
        ByteWriter writer;
        ports.save(writer);
        return std::move(writer).take();
    }

    Surroundings& around = surroundings();
    Bus mmio;
    Space space{mmio, *around.memory};
    Function first{around, space, kSlots[0]};
    Function second{around, space, kSlots[1]};
    pci::HostBridge bridge;
    pci::RootBus pci;
    NoReset reset;
    pci::ConfigPorts ports{pci, reset};
    pci::Ecam ecam{pci};
};

uint32_t identity(Machine& machine, unsigned slot) {
    std::array<std::byte, 4> bytes{};
    machine.pci.read({0, static_cast<uint8_t>(slot), 0, 0}, bytes);
    uint32_t value = 0;
    std::memcpy(&value, bytes.data(), sizeof value);
    return value;
}

void check(Machine& machine) {
    constexpr uint32_t kEntropyId = 0x1044'1af4;
    for (const unsigned slot : kSlots) require(identity(machine, slot) == kEntropyId);
    for (const auto& [device, base] : machine.space.places) {
        require(!machine.around.memory->map().overlaps(Gpa{base}, kBarSize));
        const auto found = machine.mmio.find(base);
        require(found && found->device == device && found->base == base);
    }
    require(machine.mmio.find(kEcamBase)->device == &machine.ecam);
}

void move_bar(Machine& machine, Script& script) {
    const uint32_t place = script.pick(kPlaces);
    const auto slot = static_cast<uint8_t>(script.pick(kSlots));
    machine.pci.write({0, slot, 0, pci::kBar0}, std::as_bytes(std::span(&place, 1)));
    const auto command = static_cast<uint16_t>(script.byte() & 7);
    machine.pci.write({0, slot, 0, pci::kCommand}, std::as_bytes(std::span(&command, 1)));
}

void access(Machine& machine, Script& script, unsigned command) {
    constexpr std::array<size_t, 4> kWidths = {1, 2, 4, 8};
    std::array<std::byte, 8> buffer{};
    const size_t width = kWidths[command >> 4 & 3];
    const auto to = std::span(buffer).first(width);
    switch (command & 7) {
        case 0:
            return machine.ports.read(script.byte() % pci::ConfigPorts::kSize,
                                      to.first(std::min<size_t>(width, 4)));
        case 1: {
            const uint64_t at = script.byte() % pci::ConfigPorts::kSize;
            const auto data = script.bytes(std::min<size_t>(width, 4));
            if (!data.empty()) machine.ports.write(at, data);
            return;
        }
        case 2: return machine.mmio.read(kEcamBase + script.number<uint32_t>() % (pci::Ecam::kSize + 16), to);
        case 3: {
            const uint64_t slot = script.pick(kSlots);
            const uint64_t at = kEcamBase + (slot << 15) + script.number<uint16_t>() % 0x1010;
            return machine.mmio.write(at, script.bytes(width));
        }
        case 4: return move_bar(machine, script);
        case 5: {
            const uint64_t at = script.pick(kPlaces) + script.number<uint16_t>() % (2 * kBarSize);
            return machine.mmio.read(at, to);
        }
        case 6: {
            const uint64_t at = script.pick(kPlaces) + script.number<uint16_t>() % (2 * kBarSize);
            return machine.mmio.write(at, script.bytes(width));
        }
        default: pump(*machine.around.loop, 1);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    Machine machine;
    Script script(std::as_bytes(std::span(data, size)));
    while (!script.done()) {
        access(machine, script, script.byte());
        check(machine);
    }
    require(machine.first.device.quiesce(0) && machine.second.device.quiesce(0));
    const auto bytes = machine.saved();
    Machine other;
    ByteReader reader(bytes);
    require(other.ports.restore(reader).ok());
    check(other);
    other.ports.reset();
    require(other.space.places.empty());
    return 0;
}
