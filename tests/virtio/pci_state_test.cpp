// A virtio function saved, and restored into another instance: in the middle of traffic, and from damaged
// bytes.
#include "devices/virtio/entropy.h"
#include "devices/virtio/pci_transport.h"
#include "tests/virtio/pci_rig.h"
// After ours, whose CHECK is another.
#include "tests/catch.h"

using namespace carrel;
using namespace carrel::virtio;
using namespace carrel::virtio::test;

namespace {

// One machine after the other over the same guest memory.
struct Instance {
    explicit Instance(Surroundings& around) : side(around, device) {}
    std::vector<std::byte> save() {
        CHECK(device.quiesce(kSecond));
        return side.saved();
    }
    Entropy device;
    PciSide side;
};

struct Rig {
    Rig() : driver(make_driver(*around.memory, 64, {.packed = false, .event_idx = true, .indirect = true})) {}
    void add() {
        driver->add({{kData, 32, true}});
        driver->publish();
    }
    int collect() {
        int n = 0;
        while (driver->get_used()) ++n;
        return n;
    }
    Surroundings around;
    std::unique_ptr<Driver> driver;
};

constexpr uint8_t kRunning = kAcknowledge | kDriver | kFeaturesOk | kDriverOk;

// Whatever is in `bytes`: the instance takes it or refuses it, saves what it has, and works after a reset.
void try_bytes(Rig& rig, std::span<const std::byte> bytes) {
    Instance instance(rig.around);
    const bool taken = instance.side.restores(bytes);
    pump(*rig.around.loop, 2);
    const auto again = instance.save();
    Instance other(rig.around);
    // What it took is a state that it can be in.
    CHECK(other.side.restores(again));
    if (!taken) {
        CHECK(again == Instance(rig.around).save());
        CHECK_FALSE(instance.side.irq.level);
        CHECK_FALSE(instance.side.bars.at);
    }
    instance.device.resume();
    instance.side.decode();
    instance.side.set_status(0);
    CHECK(instance.side.status() == 0);
}

}  // namespace

TEST_CASE("virtio-pci: moved to another instance again and again while the driver works, it loses nothing") {
    Rig rig;
    auto now = std::make_unique<Instance>(rig.around);
    REQUIRE(now->side.start(*rig.driver, kRingFeatures, 1) == kRunning);
    now->side.set_vector(1, 0x41);
    now->side.set_message_control(pci::Msix::kEnable);
    int asked = 0, answered = 0, signals = 0;
    for (int round = 0; round < 300; ++round) {
        for (int i = 0; i <= round % 5; ++i, ++asked) rig.add();
        if (round % 3 != 0) now->side.notify();
        if (round % 3 == 1) now->side.doorbells.ring(kBarBase + kDoorbellPart);
        answered += rig.collect();
        const auto bytes = now->save();
        auto next = std::make_unique<Instance>(rig.around);
        REQUIRE(next->side.restores(bytes));
        REQUIRE(next->save() == bytes);
        next->device.resume();
        signals += now->side.messages.lines[1]->signals;
        now = std::move(next);
        CHECK(now->side.bars.at == kBarBase);
        CHECK(now->side.doorbells.bound.size() == 1);
        CHECK(now->side.messages.lines[1]->message.data == 0x41);
    }
    now->side.notify();
    answered += rig.collect();
    CHECK(asked == answered);
    CHECK(signals == 1);  // the driver never moved its event on
}

TEST_CASE("virtio-pci: interrupts that nobody has taken yet go along") {
    Rig rig;
    Instance first(rig.around);
    first.side.start(*rig.driver, kRingFeatures, 1);
    SECTION("INTx") {
        rig.add();
        first.side.notify();
        REQUIRE(first.side.irq.level);
        Instance second(rig.around);
        REQUIRE(second.side.restores(first.save()));
        CHECK(second.side.irq.level);
        CHECK(second.side.get<uint8_t>(kIsrPart) == 1);
    }
    SECTION("MSI-X, masked") {
        first.side.set_vector(1, 0x41);
        first.side.set_message_control(pci::Msix::kEnable | pci::Msix::kFunctionMask);
        rig.add();
        first.side.notify();
        Instance second(rig.around);
        REQUIRE(second.side.restores(first.save()));
        CHECK(second.side.messages.lines[1]->signals == 0);
        second.side.set_message_control(pci::Msix::kEnable);
        CHECK(second.side.messages.lines[1]->signals == 1);
    }
}

TEST_CASE("virtio-pci: a device in the middle of its negotiation, or broken, is restored as it was") {
    Rig rig;
    Instance first(rig.around);
    first.side.decode();
    SECTION("queues set, not running") {
        first.side.negotiate(kVersion1 | kRingFeatures);
        first.side.set_queue(0, rig.driver->state());
        first.side.put<uint32_t>(kDeviceFeatureSelect, 17);
        first.side.put<uint32_t>(kDriverFeatureSelect, 1);
    }
    SECTION("DRIVER_OK without features") {
        first.side.set_status(kDriverOk);
    }
    SECTION("rings that aren't RAM") {
        QueueState state = rig.driver->state();
        state.device_area = Gpa{kLowEnd};
        first.side.negotiate(kVersion1);
        first.side.set_queue(0, state);
        first.side.go();
    }
    SECTION("a broken ring") {
        first.side.start(*rig.driver, kRingFeatures);
        rig.driver->poke<uint16_t>(kDriverArea + kRingIndex, 0x7000);
        first.side.notify();
        CHECK((first.side.status() & kNeedsReset) != 0);
    }
    SECTION("no queue") {
        first.side.negotiate(kVersion1);
        first.side.go();
    }
    const auto bytes = first.save();
    const uint8_t status = first.side.status();
    Instance second(rig.around);
    REQUIRE(second.side.restores(bytes));
    CHECK(second.side.status() == status);
    pump(*rig.around.loop);
    CHECK(second.side.status() == status);
    CHECK(second.save() == bytes);
}

TEST_CASE("virtio-pci: saved bytes with any one byte changed are refused, or are another possible state") {
    Rig rig;
    std::vector<std::byte> good;
    {
        Instance first(rig.around);
        first.side.decode();
        SECTION("running") {
            first.side.start(*rig.driver, kRingFeatures, 1);
            first.side.set_vector(1, 0x41);
            first.side.set_message_control(pci::Msix::kEnable);
            rig.add();
            first.side.notify();
        }
        SECTION("not yet running") {
            first.side.negotiate(kVersion1 | kRingFeatures);
            first.side.set_queue(0, rig.driver->state());
        }
        good = first.save();
    }
    for (size_t at = 0; at < good.size(); ++at) {
        for (const unsigned change : {0x01u, 0x80u, 0xffu, 0x04u}) {
            auto bytes = good;
            bytes[at] ^= static_cast<std::byte>(change);
            INFO("byte " << at << " ^ " << change);
            try_bytes(rig, bytes);
        }
    }
}

TEST_CASE("virtio-pci: saved bytes cut short, too long, of another kind or version are refused") {
    Rig rig;
    Instance first(rig.around);
    first.side.start(*rig.driver, kRingFeatures);
    const auto good = first.save();
    const auto fresh = Instance(rig.around).save();
    carrel::test::for_each_damage(good, [&](std::span<const std::byte> bytes) {
        Instance second(rig.around);
        CHECK_FALSE(second.side.restores(bytes));
        CHECK(second.save() == fresh);
    });
}

TEST_CASE("virtio-pci: bytes that are refused for what is behind them touch no guest memory") {
    Rig rig;
    Instance first(rig.around);
    first.side.start(*rig.driver, kRingFeatures);
    rig.add();
    first.side.notify();
    CHECK(rig.collect() == 1);
    auto bytes = first.save();
    constexpr size_t kLengthAt = 6;
    bytes.push_back(std::byte{0});
    bytes[kLengthAt] = static_cast<std::byte>(std::to_integer<unsigned>(bytes[kLengthAt]) + 1);
    first.side.destroy();
    rig.driver->poke<uint16_t>(kDeviceArea + kRingEntries + 8 * 64,
                               0x5a5a);  // where a device that starts says its event
    Instance second(rig.around);
    CHECK_FALSE(second.side.restores(bytes));
    CHECK(rig.driver->peek<uint16_t>(kDeviceArea + kRingEntries + 8 * 64) == 0x5a5a);
}

TEST_CASE("virtio-pci: a status that no driver can set is refused") {
    Rig rig;
    Instance first(rig.around);
    first.side.decode();
    // The first byte that differs is the status.
    const auto before = first.save();
    first.side.set_status(kAcknowledge);
    auto bytes = first.save();
    size_t at = 0;
    while (before[at] == bytes[at]) ++at;
    for (const unsigned status : {0x10u, 0x20u, 0x30u}) {
        bytes[at] = static_cast<std::byte>(status);
        Instance second(rig.around);
        CHECK_FALSE(second.side.restores(bytes));
    }
}
