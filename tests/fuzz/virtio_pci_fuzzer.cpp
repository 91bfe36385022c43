// A hostile driver before a virtio-pci function with a virtio-rng behind it: configuration space, registers,
// rings, doorbells, at any time and in any order, and moves to another instance meanwhile. Nothing may crash
// or hang, what is saved must be restored, and after a reset the device must work for a driver that keeps the
// rules.
#include "devices/virtio/entropy.h"
#include "devices/virtio/pci_transport.h"
#include "tests/fuzz/script.h"
#include "tests/virtio/pci_rig.h"

using namespace carrel;
using namespace carrel::virtio;
using namespace carrel::virtio::test;
using carrel::test::require;
using carrel::test::Script;

namespace {

constexpr QueueFeatures kFeatures{.packed = false, .event_idx = true, .indirect = true};
constexpr std::array<uint64_t, 8> kAreas = {kDescriptors, kDriverArea,      kDeviceArea, kTables,
                                            kData,        kHighEnd - 0x100, kLowEnd - 8, kBarBase};

// Once: fresh memory for each run would be most of its time.
Surroundings& surroundings() {
    static Surroundings around;
    return around;
}

struct Instance {
    explicit Instance(Surroundings& around) : side(around, device) {}
    Entropy device;
    PciSide side;
};

struct Machine {
    Machine() {
        const std::vector<std::byte> zeros(0x2000);
        for (const uint64_t area :
             {kDescriptors, kDriverArea, kDeviceArea, kTables, kData, kLowEnd - 0x2000, kHighEnd - 0x2000})
            around.memory->write_bytes(Gpa{area}, zeros);
    }
    Surroundings& around = surroundings();
    std::unique_ptr<Instance> now = std::make_unique<Instance>(around);
    uint16_t offered = 0;

    void rebuild() {
        require(now->device.quiesce(0));
        // What was refused is tried again with the next write, whichever; then nothing is left to be pending.
        const uint32_t control = now->side.capability(pci::kMsix) + 2;
        now->side.set_config(control, now->side.config<uint16_t>(control));
        const auto bytes = now->side.saved();
        auto next = std::make_unique<Instance>(around);
        require(next->side.restores(bytes));
        // A message that is refused here isn't there, and takes its pending bit along.
        require(now->side.messages.refuse || next->side.saved() == bytes);
        now = std::move(next);
    }
    // A descriptor, and a chain that begins with it.
    void offer(Script& script) {
        const uint16_t index = script.byte() % 64;
        const SplitDescriptor d{script.pick(kAreas) + script.number<uint8_t>() * 8u,
                                script.number<uint16_t>(), script.number<uint8_t>(), script.byte()};
        const uint64_t table = (d.flags & 0x80) != 0 ? kTables : kDescriptors;
        around.memory->write(Gpa{table + index * kDescriptorSize}, d);
        if ((d.flags & 0x40) != 0) return;
        around.memory->write(Gpa{kDriverArea + kRingEntries + uint64_t{2} * (offered % 64)}, index);
        around.memory->write(Gpa{kDriverArea + kRingIndex}, ++offered);
    }
    void start(Script& script) {
        const std::vector<std::byte> zeros(0x1000);
        for (const uint64_t area : {kDescriptors, kDriverArea, kDeviceArea})
            around.memory->write_bytes(Gpa{area}, zeros);
        offered = 0;
        const auto driver = make_driver(*around.memory, 64, kFeatures);
        now->side.start(*driver, script.byte() % 2 != 0 ? kRingFeatures : 0, script.byte() % 3);
    }
};

void write_bar(PciSide& side, uint64_t at, std::span<const std::byte> data) {
    if (side.bars.device != nullptr && !data.empty()) side.bars.device->write(at, data);
}

void access(PciSide& side, Script& script, unsigned command, size_t width) {
    std::array<std::byte, 8> buffer{};
    const auto to = std::span(buffer).first(width);
    const uint32_t at = script.byte() & ~uint32_t{static_cast<uint32_t>(std::min<size_t>(width, 4)) - 1};
    const uint64_t offset = script.byte() * uint64_t{0x800} % kBarSize + at;
    switch (command) {
        case 0: return side.function().read_config(at, to.first(std::min<size_t>(width, 4)));
        case 1: {
            const auto data = script.bytes(std::min<size_t>(width, 4));
            if (data.size() == std::min<size_t>(width, 4)) side.function().write_config(at, data);
            return;
        }
        case 2:
            if (side.bars.device != nullptr) side.bars.device->read(offset, to);
            return;
        case 3: return write_bar(side, offset, script.bytes(width));
        default: return write_bar(side, at, script.bytes(width));  // the common configuration
    }
}

void run(Machine& machine, Script script) {
    constexpr std::array<size_t, 4> kWidths = {1, 2, 4, 8};
    while (!script.done()) {
        const unsigned command = script.byte();
        PciSide& side = machine.now->side;
        switch (command & 15) {
            case 5:
                machine.around.memory->write_bytes(Gpa{script.pick(kAreas) + script.byte()},
                                                   script.bytes(16));
                break;
            case 6:
            case 7: machine.offer(script); break;
            case 8: side.notify(script.byte() % 3); break;
            case 9: pump(*machine.around.loop, 1); break;
            case 10: machine.start(script); break;
            case 11: machine.rebuild(); break;
            case 12: side.function().reset(); break;
            case 13: side.bars.free = !side.bars.free; break;
            case 14: side.messages.refuse = !side.messages.refuse; break;
            case 15: side.decode(); break;
            default: access(side, script, command & 15, kWidths[command >> 4 & 3]); break;
        }
    }
}

// A driver that keeps the rules finds a device that works.
void require_works(Machine& machine) {
    PciSide& side = machine.now->side;
    side.bars.free = true;
    side.messages.refuse = false;
    side.function().reset();
    pump(*machine.around.loop);
    const std::vector<std::byte> zeros(0x1000);
    for (const uint64_t area : {kDescriptors, kDriverArea, kDeviceArea})
        machine.around.memory->write_bytes(Gpa{area}, zeros);
    const auto driver = make_driver(*machine.around.memory, 64, kFeatures);
    require(side.start(*driver, kRingFeatures) == (kAcknowledge | kDriver | kFeaturesOk | kDriverOk));
    driver->add({{kData, 32, true}});
    driver->publish();
    side.notify();
    const auto used = driver->get_used();
    require(used && used->length == 32);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    Machine machine;
    run(machine, Script(std::as_bytes(std::span(data, size))));
    require_works(machine);
    return 0;
}
