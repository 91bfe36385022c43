// A hostile driver before a virtio-mmio device, a virtio-rng: registers, rings, doorbells, resets of a queue
// or of all, at any time and in any order, and moves to another instance meanwhile. Nothing may crash or
// hang, what is saved must be restored, and after a reset the device must work for a driver that keeps the
// rules.
#include "devices/virtio/entropy.h"
#include "tests/fuzz/script.h"
#include "tests/virtio/mmio_rig.h"

using namespace carrel;
using namespace carrel::virtio;
using namespace carrel::virtio::test;
using carrel::test::pump;
using carrel::test::require;
using carrel::test::Script;

namespace {

constexpr uint16_t kSize = 64;
constexpr std::array<uint64_t, 8> kAreas = {kDescriptors, kDriverArea,      kDeviceArea, kTables,
                                            kData,        kHighEnd - 0x100, kLowEnd - 8, kMmioBase};
// One is picked for most accesses: others do nothing.
constexpr std::array<MmioRegister, 20> kRegisters = {
    MmioRegister::kDeviceFeaturesSel, MmioRegister::kDriverFeatures,
    MmioRegister::kDriverFeaturesSel, MmioRegister::kQueueSel,
    MmioRegister::kQueueSize,         MmioRegister::kQueueReady,
    MmioRegister::kQueueNotify,       MmioRegister::kInterruptStatus,
    MmioRegister::kInterruptAck,      MmioRegister::kStatus,
    MmioRegister::kQueueDescLow,      MmioRegister::kQueueDescHigh,
    MmioRegister::kQueueDriverLow,    MmioRegister::kQueueDriverHigh,
    MmioRegister::kQueueDeviceLow,    MmioRegister::kQueueDeviceHigh,
    MmioRegister::kShmLenLow,         MmioRegister::kQueueReset,
    MmioRegister::kQueueReset,        MmioRegister::kQueueReady};

// Once: fresh memory for each run would be most of its time.
Surroundings& surroundings() {
    static Surroundings around;
    return around;
}

struct Instance {
    explicit Instance(Surroundings& around) : side(around, device) {}
    Entropy device;
    MmioSide side;
};

struct Machine {
    Machine() { forget_rings(); }
    void forget_rings() {
        const std::vector<std::byte> zeros(0x2000);
        for (const uint64_t area :
             {kDescriptors, kDriverArea, kDeviceArea, kTables, kData, kLowEnd - 0x2000, kHighEnd - 0x2000})
            around.memory->write_bytes(Gpa{area}, zeros);
        offered = 0;
    }
    void rebuild() {
        require(now->device.quiesce(0));
        const auto bytes = now->side.saved();
        auto next = std::make_unique<Instance>(around);
        require(next->side.restores(bytes));
        require(next->side.saved() == bytes);
        now = std::move(next);
    }
    // A descriptor, and a chain that begins with it; as a split ring has them.
    void offer(Script& script) {
        const uint16_t index = script.byte() % kSize;
        const SplitDescriptor d{script.pick(kAreas) + script.number<uint8_t>() * 8u,
                                script.number<uint16_t>(), script.number<uint8_t>(), script.byte()};
        const uint64_t table = (d.flags & 0x80) != 0 ? kTables : kDescriptors;
        around.memory->write(Gpa{table + index * kDescriptorSize}, d);
        if ((d.flags & 0x40) != 0) return;
        around.memory->write(Gpa{kDriverArea + kRingEntries + uint64_t{2} * (offered % kSize)}, index);
        around.memory->write(Gpa{kDriverArea + kRingIndex}, ++offered);
    }
    // Whether it works then.
    bool start(bool packed, uint64_t features) {
        forget_rings();
        const bool events = (features & kEventIdx) != 0;
        driver = make_driver(*around.memory, kSize, {packed, events, (features & kIndirectDesc) != 0});
        return now->side.start(*driver, features | (packed ? kRingPacked : 0)) ==
               (kAcknowledge | kDriver | kFeaturesOk | kDriverOk);
    }
    Surroundings& around = surroundings();
    std::unique_ptr<Instance> now = std::make_unique<Instance>(around);
    std::unique_ptr<Driver> driver;
    uint16_t offered = 0;
};

void access(MmioSide& side, Script& script, unsigned command, size_t width) {
    std::array<std::byte, 8> buffer{};
    const uint64_t any = script.byte() * uint64_t{4} + script.byte() % 4;
    switch (command) {
        case 0: return side.device().read(any, std::span(buffer).first(width));
        case 1: {
            const auto data = script.bytes(width);
            if (!data.empty()) side.device().write(any, data);
            return;
        }
        case 2: return side.put(script.pick(kRegisters), script.byte());
        case 3: return side.put(script.pick(kRegisters), script.number<uint32_t>());
        default: (void)side.get(script.pick(kRegisters)); return;
    }
}

void run(Machine& machine, Script script) {
    constexpr std::array<size_t, 4> kWidths = {1, 2, 4, 8};
    constexpr std::array<uint64_t, 4> kFeatures = {kRingFeatures, 0, kRingFeatures | kRingReset, kRingReset};
    while (!script.done()) {
        const unsigned command = script.byte();
        MmioSide& side = machine.now->side;
        switch (command & 15) {
            case 5:
                machine.around.memory->write_bytes(Gpa{script.pick(kAreas) + script.byte()},
                                                   script.bytes(16));
                break;
            case 6:
            case 7: machine.offer(script); break;
            case 8: side.notify(script.byte() % 3); break;
            case 9: pump(*machine.around.loop, 1); break;
            case 10: machine.start((command & 16) != 0, script.pick(kFeatures)); break;
            case 11: machine.rebuild(); break;
            case 12: side.device().reset(); break;
            case 13: side.doorbells.refuse = !side.doorbells.refuse; break;
            default: access(side, script, command & 15, kWidths[command >> 4 & 3]); break;
        }
    }
}

// A driver that keeps the rules finds a device that works.
void require_works(Machine& machine, bool packed) {
    machine.now->side.device().reset();
    pump(*machine.around.loop);
    require(machine.start(packed, kRingFeatures));
    machine.driver->add({{kData, 32, true}});
    machine.driver->publish();
    machine.now->side.notify();
    const auto used = machine.driver->get_used();
    require(used && used->length == 32);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    Machine machine;
    run(machine, Script(std::as_bytes(std::span(data, size))));
    require_works(machine, false);
    require_works(machine, true);
    return 0;
}
