// The doorbells in BAR 1, which are ports.
#include "devices/virtio/entropy.h"
#include "devices/virtio/pci_transport.h"
#include "tests/virtio/pci_rig.h"
// After ours, whose CHECK is another.
#include "tests/catch.h"

using namespace carrel;
using namespace carrel::virtio;
using namespace carrel::virtio::test;

namespace {

constexpr uint16_t kPortBase = 0x1040;

struct Rig {
    Surroundings around;
    Entropy device;
    PciSide side{around, device, LoopRunner::create(*around.loop, device).value(), kPortBase};
    std::unique_ptr<Driver> driver = make_driver(*around.memory, 16, {});

    void start() {
        side.set_config<uint16_t>(pci::kCommand, pci::kCommandIo | pci::kCommandMemory | pci::kCommandMaster);
        side.set_status(0);
        side.set_status(kAcknowledge | kDriver);
        side.accept(kVersion1);
        side.set_status(kAcknowledge | kDriver | kFeaturesOk);
        side.set_queue(0, driver->state());
        side.go();
    }
    void write_port(uint64_t offset, uint16_t value) { carrel::test::out16(*side.bars.ports, offset, value); }
    // One request, rung by `ring`: whether it was served.
    bool served(const std::function<void()>& ring) {
        driver->add({{kData, 32, true}});
        driver->publish();
        ring();
        pump(*around.loop);
        return driver->get_used().has_value();
    }
};

}  // namespace

TEST_CASE("virtio-pci: BAR 1 is four ports, decoded by its own bit of the command") {
    Rig rig;
    CHECK(rig.side.config<uint32_t>(pci::kBar1) == (kPortBase | pci::kBarIo));
    rig.side.set_config<uint32_t>(pci::kBar1, 0xffff'ffff);
    CHECK(rig.side.config<uint32_t>(pci::kBar1) == (0xfffc | pci::kBarIo));  // 6.2.5.1
    rig.side.set_config<uint32_t>(pci::kBar1, 0x2002);
    rig.side.set_config<uint16_t>(pci::kCommand, pci::kCommandMemory);
    CHECK(!rig.side.bars.ports_at);
    rig.side.set_config<uint16_t>(pci::kCommand, pci::kCommandIo);
    CHECK(rig.side.bars.ports_at == 0x2000);
    CHECK(!rig.side.bars.at);
}

TEST_CASE("virtio-pci: the first notification capability names the ports, the second the memory (4.1.4)") {
    Rig rig;
    std::vector<std::pair<unsigned, uint32_t>> found;  // BAR, multiplier
    for (const Capability& c : rig.side.capabilities()) {
        const bool notify = c.id == pci::kVendorSpecific && rig.side.config<uint8_t>(c.at + 3) ==
                                                                static_cast<uint8_t>(CapabilityType::kNotify);
        if (notify)
            found.emplace_back(rig.side.config<uint8_t>(c.at + 4), rig.side.config<uint32_t>(c.at + 16));
    }
    CHECK(found == std::vector<std::pair<unsigned, uint32_t>>{{1, 0}, {0, kDoorbellSize}});
}

TEST_CASE("virtio-pci: a driver that rings ports binds those only, and one that rings memory both") {
    Rig rig;
    rig.start();
    REQUIRE(rig.side.doorbells.bound.size() == 1);
    CHECK(rig.side.doorbells.bound[0].address == kPortBase);
    CHECK(rig.served([&] { rig.side.doorbells.ring(kPortBase); }));
    CHECK(rig.served([&] { rig.side.put<uint16_t>(kDoorbellPart, 0); }));
    CHECK(rig.side.doorbells.bound.size() == 2);
    CHECK(rig.served([&] { rig.side.doorbells.ring(kBarBase + kDoorbellPart); }));
}

TEST_CASE("virtio-pci: ports without a doorbell ring by an exit, and nothing else of them does anything") {
    Rig rig;
    rig.side.doorbells.refuse = true;
    rig.start();
    CHECK(rig.served([&] { rig.write_port(0, 0); }));
    CHECK(!rig.served([&] {
        rig.write_port(0, 1);  // no such queue
        rig.write_port(2, 0);
        carrel::test::out8(*rig.side.bars.ports, 0, 0);
        carrel::test::out32(*rig.side.bars.ports, 0, 0);
        CHECK(carrel::test::in32(*rig.side.bars.ports, 0) == 0);
    }));
    CHECK(rig.served([&] { rig.write_port(0, 0); }));
}

TEST_CASE("virtio-pci: moved ports take their doorbell along, and a reset takes it away") {
    Rig rig;
    rig.start();
    rig.side.set_config<uint32_t>(pci::kBar1, 0x3000);
    REQUIRE(rig.side.doorbells.bound.size() == 1);
    CHECK(rig.side.doorbells.bound[0].address == 0x3000);
    rig.side.set_status(0);
    CHECK(rig.side.doorbells.bound.empty());
    rig.side.function().reset();
    CHECK(rig.side.config<uint32_t>(pci::kBar1) == (kPortBase | pci::kBarIo));
    CHECK(!rig.side.bars.ports_at);
}
