// A virtio function in configuration space: its capabilities, its BAR, its reset. PCI 3.0; VIRTIO 1.3, 4.1.4.
#include "devices/virtio/entropy.h"
#include "devices/virtio/pci_transport.h"
#include "tests/virtio/pci_rig.h"
// After ours, whose CHECK is another.
#include "tests/catch.h"

using namespace carrel;
using namespace carrel::virtio;
using namespace carrel::virtio::test;

namespace {

struct Rig {
    Surroundings around;
    std::unique_ptr<Driver> driver =
        make_driver(*around.memory, 64, {.packed = false, .event_idx = true, .indirect = true});
    Entropy device;
    PciSide side{around, device};

    bool works() {
        driver->add({{kData, 32, true}});
        driver->publish();
        side.notify();
        return driver->get_used().has_value();
    }
    // The window of 4.1.4.9.
    void open_window(uint32_t offset, uint32_t length, uint8_t bar = 0) {
        side.set_config<uint8_t>(window + 4, bar);
        side.set_config<uint32_t>(window + 8, offset);
        side.set_config<uint32_t>(window + 12, length);
    }
    const uint32_t window = side.virtio_capability(CapabilityType::kPciAccess);
};

}  // namespace

TEST_CASE("virtio-pci, 4.1.2: ids, class, header") {
    Rig rig;
    CHECK(rig.side.config<uint16_t>(pci::kVendorId) == 0x1af4);
    CHECK(rig.side.config<uint16_t>(pci::kDeviceId) == 0x1044);
    CHECK(rig.side.config<uint8_t>(pci::kRevisionId) >= 1);
    CHECK(rig.side.config<uint8_t>(pci::kHeaderType) == 0);
    CHECK(rig.side.config<uint8_t>(pci::kInterruptPin) == 1);
    CHECK((rig.side.config<uint16_t>(pci::kStatus) & pci::kStatusCapabilities) != 0);
}

TEST_CASE("virtio-pci, 4.1.4: the capabilities are a list inside the space, each with its place in the BAR") {
    Rig rig;
    std::map<uint8_t, std::pair<uint32_t, uint32_t>> places;  // cfg_type: offset, length
    uint32_t end = pci::kFirstCapability;
    for (const Capability& c : rig.side.capabilities()) {
        CHECK(c.at % 4 == 0);
        CHECK(c.at >= end);
        end = c.at + 2;
        if (c.id != pci::kVendorSpecific) continue;
        const auto length = rig.side.config<uint8_t>(c.at + 2);
        CHECK(length >= 16);
        end = c.at + length;
        CHECK(end <= 256);
        CHECK(rig.side.config<uint8_t>(c.at + 4) == 0);
        places[rig.side.config<uint8_t>(c.at + 3)] = {rig.side.config<uint32_t>(c.at + 8),
                                                      rig.side.config<uint32_t>(c.at + 12)};
    }
    CHECK(places.size() == 5);
    CHECK(places[1] == std::pair<uint32_t, uint32_t>{kCommonPart, 0x3c});
    CHECK(places[2] == std::pair<uint32_t, uint32_t>{kDoorbellPart, 4});
    CHECK(places[3] == std::pair<uint32_t, uint32_t>{kIsrPart, 1});
    CHECK(places[4].first == kDevicePart);
    CHECK(rig.side.config<uint32_t>(rig.side.virtio_capability(CapabilityType::kNotify) + 16) ==
          kDoorbellSize);
    const uint32_t msix = rig.side.capability(pci::kMsix);
    CHECK(rig.side.config<uint16_t>(msix + 2) == 1);  // two vectors
    CHECK(rig.side.config<uint32_t>(msix + 4) == kMsixTablePart);
    CHECK(rig.side.config<uint32_t>(msix + 8) == kMsixPendingPart);
}

TEST_CASE("virtio-pci: only what PCI calls writable can be written, by any width") {
    Rig rig;
    std::vector<uint8_t> before;
    for (uint32_t at = 0; at < 256; ++at) before.push_back(rig.side.config<uint8_t>(at));
    const uint32_t msix = rig.side.capability(pci::kMsix);
    const uint32_t reset = rig.side.capability(pci::kAdvancedFeatures);
    for (uint32_t at = 0; at < 256; ++at) {
        if (at == reset + 4) continue;  // resets the function
        rig.side.set_config<uint8_t>(at, 0xff);
        rig.side.set_config<uint8_t>(at, 0);
    }
    for (uint32_t at = 0; at < 256; ++at) {
        INFO("byte " << at);
        const bool bar = at >= pci::kBar0 && at < pci::kBar0 + 4;
        const bool window = at >= rig.window + 4 && at < rig.window + 20;
        if (!bar && !window && at != msix + 3) CHECK(rig.side.config<uint8_t>(at) == before[at]);
    }
    CHECK(rig.side.config<uint32_t>(0x100) == 0xffff'ffff);
    CHECK(rig.side.config<uint32_t>(0xffc) == 0xffff'ffff);
    rig.side.set_config<uint32_t>(0x100, 0);
}

TEST_CASE("virtio-pci: BAR 0 is sized, moved, and decoded only where the command says so") {
    Rig rig;
    CHECK_FALSE(rig.side.bars.at);
    CHECK(rig.side.config<uint32_t>(pci::kBar0) == kBarBase);
    rig.side.set_config<uint32_t>(pci::kBar0, 0xffff'ffff);
    CHECK(rig.side.config<uint32_t>(pci::kBar0) == ~(kBarSize - 1));
    for (const uint32_t other : {0x14u, 0x18u, 0x1cu, 0x20u, 0x24u, 0x30u}) {
        rig.side.set_config<uint32_t>(other, 0xffff'ffff);
        CHECK(rig.side.config<uint32_t>(other) == 0);
    }
    rig.side.set_config<uint32_t>(pci::kBar0, kBarBase);
    CHECK_FALSE(rig.side.bars.at);
    rig.side.decode();
    CHECK(rig.side.bars.at == kBarBase);
    CHECK(rig.side.bars.bytes == kBarSize);
    const int moves = rig.side.bars.moves;
    rig.side.decode();  // the same again costs nothing
    CHECK(rig.side.bars.moves == moves);
    rig.side.set_config<uint16_t>(pci::kCommand, pci::kCommandMaster);
    CHECK_FALSE(rig.side.bars.at);
}

TEST_CASE("virtio-pci: a BAR that moves while traffic runs takes its doorbells along") {
    Rig rig;
    rig.side.start(*rig.driver, kRingFeatures);
    REQUIRE(rig.works());
    const int fd = rig.side.doorbells.bound.at(0).fd;
    CHECK(rig.side.doorbells.bound[0].address == kBarBase + kDoorbellPart);
    for (const uint32_t base : {0xd000'0000u, 0xffff'8000u, 0x8000u, 0u}) {
        rig.side.set_config<uint32_t>(pci::kBar0, base + 0x7ff);  // the low bits are no part of it
        REQUIRE(rig.side.doorbells.bound.size() == 1);
        CHECK(rig.side.doorbells.bound[0] == FakeDoorbells::Bound{base + uint64_t{kDoorbellPart}, fd});
        CHECK(rig.works());
    }
    rig.side.set_config<uint16_t>(pci::kCommand, 0);
    CHECK(rig.side.doorbells.bound.empty());
    rig.side.decode();
    CHECK(rig.works());
}

TEST_CASE("virtio-pci: a BAR over somebody else's place answers nowhere until it is moved") {
    Rig rig;
    rig.side.start(*rig.driver, kRingFeatures);
    rig.side.bars.free = false;
    rig.side.set_config<uint32_t>(pci::kBar0, 0x10'0000);
    CHECK(rig.side.doorbells.bound.empty());
    rig.side.bars.free = true;
    rig.side.set_config<uint32_t>(pci::kBar0, 0xd000'0000);
    CHECK(rig.side.bars.at == 0xd000'0000);
    CHECK(rig.works());
}

TEST_CASE("virtio-pci, 4.1.4.9: every register can be reached through configuration space") {
    Rig rig;
    // Without any decoded BAR.
    rig.open_window(kCommonPart + kDeviceStatus, 1);
    rig.side.set_config<uint8_t>(rig.window + 16, kAcknowledge);
    CHECK(rig.side.config<uint8_t>(rig.window + 16) == kAcknowledge);
    rig.open_window(kCommonPart + kDeviceFeatureSelect, 4);
    rig.side.set_config<uint32_t>(rig.window + 16, 1);
    rig.open_window(kCommonPart + kDeviceFeature, 4);
    CHECK(rig.side.config<uint32_t>(rig.window + 16) == (kVersion1 | kRingPacked | kRingReset) >> 32);
    rig.open_window(kCommonPart + kQueueSize, 2);
    rig.side.set_config<uint16_t>(rig.window + 16, 8);
    CHECK(rig.side.config<uint16_t>(rig.window + 16) == 8);
    rig.side.decode();
    CHECK(rig.side.get<uint16_t>(kQueueSize) == 8);
    CHECK(rig.side.status() == kAcknowledge);
    // A queue's doorbell, too.
    REQUIRE(rig.side.start(*rig.driver, kRingFeatures) == 15);
    rig.driver->add({{kData, 32, true}});
    rig.driver->publish();
    rig.open_window(kDoorbellPart, 2);
    rig.side.set_config<uint16_t>(rig.window + 16, 0);
    pump(*rig.around.loop);
    CHECK(rig.driver->get_used());
}

TEST_CASE("virtio-pci, 4.1.4.9.1: a window that isn't a register's does nothing") {
    Rig rig;
    rig.side.decode();
    rig.side.set_status(kAcknowledge);
    struct {
        uint32_t offset, length;
        uint8_t bar;
    } const wrong[] = {{kDeviceStatus, 0, 0},
                       {kDeviceStatus, 3, 0},
                       {kDeviceStatus, 8, 0},
                       {kDeviceStatus, 1, 1},
                       {kDeviceStatus, 1, 255},
                       {kDeviceStatus + 1, 2, 0},
                       {kBarSize, 4, 0},
                       {0xffff'fffc, 4, 0},
                       {kBarSize - 2, 4, 0},
                       {kDeviceStatus, 1u << 31, 0},
                       {kDeviceStatus, 0xffff'ffff, 0}};
    for (const auto& w : wrong) {
        rig.open_window(w.offset, w.length, w.bar);
        rig.side.set_config<uint32_t>(rig.window + 16, 0);
        CHECK(rig.side.config<uint32_t>(rig.window + 16) == 0);
        CHECK(rig.side.status() == kAcknowledge);
    }
    // Odd widths at the data itself: any write is one of the first `length` bytes as they stand.
    rig.open_window(kDeviceStatus, 1);
    rig.side.set_config<uint8_t>(rig.window + 17, 0xff);
    CHECK(rig.side.status() == 0);
    rig.side.set_config<uint16_t>(rig.window + 18, 0xffff);
    (void)rig.side.config<uint16_t>(rig.window + 18);
    rig.side.set_config<uint8_t>(rig.window + 16, kAcknowledge);
    CHECK(rig.side.status() == kAcknowledge);
}

TEST_CASE("virtio-pci: a function level reset is one of everything, wherever it is asked for from") {
    Rig rig;
    rig.side.start(*rig.driver, kRingFeatures, 0);
    rig.side.set_vector(0, 0x41);
    rig.side.set_message_control(pci::Msix::kEnable);
    const uint32_t control = rig.side.capability(pci::kAdvancedFeatures) + 4;
    CHECK((rig.side.config<uint8_t>(control - 1) & 2) != 0);
    rig.side.set_config<uint8_t>(control, 0);
    CHECK(rig.side.bars.at);
    SECTION("by a byte") {
        rig.side.set_config<uint8_t>(control, 1);
    }
    SECTION("by a word") {
        rig.side.set_config<uint16_t>(control, 1);
    }
    SECTION("by the bus") {
        rig.side.function().reset();
    }
    CHECK_FALSE(rig.side.bars.at);
    CHECK(rig.side.doorbells.bound.empty());
    CHECK(rig.side.config<uint16_t>(pci::kCommand) == 0);
    CHECK_FALSE(rig.side.messages.lines[0]->routed);
    CHECK(rig.side.config<uint8_t>(control) == 0);
    CHECK_FALSE(rig.side.irq.level);
    rig.side.decode();
    CHECK(rig.side.status() == 0);
    CHECK(rig.side.get<uint32_t>(kMsixTablePart + 12) == 1);
    CHECK(rig.side.get<uint32_t>(kMsixTablePart + 8) == 0);
}

TEST_CASE("virtio-pci: when the function goes, nothing of it stays") {
    Rig rig;
    rig.side.start(*rig.driver, kRingFeatures);
    rig.driver->add({{kData, 32, true}});
    rig.driver->publish();
    rig.side.doorbells.ring(kBarBase + kDoorbellPart);
    rig.side.destroy();
    CHECK_FALSE(rig.side.bars.at);
    CHECK(rig.side.doorbells.bound.empty());
    pump(*rig.around.loop);
    CHECK_FALSE(rig.driver->get_used());
}
