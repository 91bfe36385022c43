// How a driver and a device agree, and what happens where a driver doesn't keep to it.
// VIRTIO 1.3, 2.1, 3.1, 4.1.
#include "devices/virtio/pci_transport.h"

#include "devices/virtio/entropy.h"
#include "tests/virtio/pci_rig.h"
// After ours, whose CHECK is another.
#include "tests/catch.h"

using namespace carrel;
using namespace carrel::virtio;
using namespace carrel::virtio::test;

namespace {

constexpr QueueFeatures kEvents{.packed = false, .event_idx = true, .indirect = true};
constexpr uint16_t kSize = 64;

struct Rig {
    explicit Rig(uint16_t size = kSize) : driver(make_driver(*around.memory, size, kEvents)) {}
    // One request of 32 random bytes, rung for.
    void ask() {
        driver->add({{kData, 32, true}});
        driver->publish();
        side.notify();
    }
    // The device works: a request comes back filled.
    bool works() {
        ask();
        const auto used = driver->get_used();
        return used && used->length == 32;
    }
    // A driver that begins anew, with rings as after a boot.
    uint8_t start_anew() {
        const std::vector<std::byte> zeros(0x10000);
        for (const uint64_t area : {kDescriptors, kDriverArea, kDeviceArea})
            around.memory->write_bytes(Gpa{area}, zeros);
        driver = make_driver(*around.memory, kSize, kEvents);
        return side.start(*driver, kRingFeatures);
    }
    Surroundings around;
    std::unique_ptr<Driver> driver;
    Entropy device;
    PciSide side{around, device};
};

constexpr uint8_t kRunning = kAcknowledge | kDriver | kFeaturesOk | kDriverOk;

}  // namespace

TEST_CASE("virtio-pci: a driver that keeps the rules gets its random bytes") {
    Rig rig;
    rig.side.decode();
    CHECK(rig.side.negotiate(rig.side.offered()));
    CHECK(rig.side.start(*rig.driver, kRingFeatures) == kRunning);
    for (int i = 0; i < 200; ++i) REQUIRE(rig.works());
    CHECK(rig.device.malformed() == 0);
}

TEST_CASE("virtio-pci: where no doorbell can be bound, the same write works by an exit") {
    Rig rig;
    rig.side.doorbells.refuse = true;
    CHECK(rig.side.start(*rig.driver, kRingFeatures) == kRunning);
    CHECK(rig.side.doorbells.bound.empty());
    CHECK(rig.works());
}

TEST_CASE("virtio-pci, 3.1.1: what is in the queue before DRIVER_OK is served without a doorbell") {
    Rig rig;
    rig.side.negotiate(kVersion1 | kRingFeatures);
    rig.side.set_queue(0, rig.driver->state());
    rig.driver->add({{kData, 32, true}});
    rig.driver->publish();
    rig.side.notify();  // before DRIVER_OK: nothing happens
    CHECK_FALSE(rig.driver->get_used());
    CHECK(rig.side.doorbells.bound.empty());
    rig.side.go();
    pump(*rig.around.loop);
    CHECK(rig.driver->get_used());
}

TEST_CASE(
    "virtio-pci, rule 5: FEATURES_OK doesn't stay with a feature that isn't offered, or without VERSION_1") {
    Rig rig;
    const uint64_t offered = [&] {
        rig.side.decode();
        return rig.side.offered();
    }();
    CHECK(offered == (kVersion1 | kQueueFeatures | kRingPacked));
    for (unsigned bit = 0; bit < 64; ++bit) {
        INFO("bit " << bit);
        const bool there = (offered & feature(bit)) != 0;
        CHECK(rig.side.negotiate(kVersion1 | feature(bit)) == there);
    }
    CHECK_FALSE(rig.side.negotiate(0));
    CHECK_FALSE(rig.side.negotiate(kRingFeatures));
    // It may try again with others.
    rig.side.accept(kVersion1);
    rig.side.set_status(kAcknowledge | kDriver | kFeaturesOk);
    CHECK(rig.side.status() == (kAcknowledge | kDriver | kFeaturesOk));
    // And then not any more, 2.2.1.
    rig.side.accept(kVersion1 | kRingFeatures);
    rig.side.put<uint32_t>(kDriverFeatureSelect, 0);
    CHECK(rig.side.get<uint32_t>(kDriverFeature) == 0);
}

TEST_CASE("virtio-pci, 4.1.4.3: there are no features beyond bit 63") {
    Rig rig;
    rig.side.decode();
    for (const uint32_t select : {2u, 3u, 32u, 0x8000'0000u, 0xffff'ffffu}) {
        rig.side.put<uint32_t>(kDeviceFeatureSelect, select);
        rig.side.put<uint32_t>(kDriverFeatureSelect, select);
        CHECK(rig.side.get<uint32_t>(kDeviceFeatureSelect) == select);
        CHECK(rig.side.get<uint32_t>(kDeviceFeature) == 0);
        rig.side.put<uint32_t>(kDriverFeature, 0xffff'ffff);
        CHECK(rig.side.get<uint32_t>(kDriverFeature) == 0);
    }
    rig.side.accept(kVersion1);
    rig.side.set_status(kFeaturesOk);
    CHECK(rig.side.status() == kFeaturesOk);
}

TEST_CASE("virtio-pci, 2.1.1: bits of the status are set, never cleared, but by a reset") {
    Rig rig;
    rig.side.start(*rig.driver, kRingFeatures);
    rig.side.set_status(kAcknowledge);
    CHECK(rig.side.status() == kRunning);
    CHECK(rig.works());
    rig.side.set_status(kFailed | 0x30);  // 0x30: no such bits
    CHECK(rig.side.status() == (kRunning | kFailed));
    rig.side.set_status(kNeedsReset);  // the device's own
    CHECK(rig.side.status() == (kRunning | kFailed));
    rig.side.set_status(0);
    CHECK(rig.side.status() == 0);
    CHECK(rig.side.get<uint16_t>(kQueueEnable) == 0);
    CHECK(rig.side.get<uint16_t>(kQueueSize) == kSize);
    CHECK(rig.side.get<uint64_t>(kQueueDesc) == 0);
}

TEST_CASE(
    "virtio-pci, 2.1.2: DRIVER_OK without FEATURES_OK breaks the protocol; after a reset it works again") {
    Rig rig;
    rig.side.decode();
    rig.side.set_status(kAcknowledge | kDriver);
    rig.side.accept(kVersion1 | kRingFeatures);
    rig.side.set_queue(0, rig.driver->state());
    rig.side.go();
    CHECK((rig.side.status() & kNeedsReset) != 0);
    // FEATURES_OK afterwards mends nothing.
    rig.side.set_status(kRunning);
    CHECK((rig.side.status() & kNeedsReset) != 0);
    rig.ask();
    CHECK_FALSE(rig.driver->get_used());
    CHECK(rig.start_anew() == kRunning);
    CHECK(rig.works());
}

TEST_CASE("virtio-pci, 4.1.4.3.2: an enabled queue's fields stay as they are") {
    Rig rig;
    rig.side.negotiate(kVersion1 | kRingFeatures);
    rig.side.set_queue(0, rig.driver->state());
    const bool running = GENERATE(false, true);
    if (running) rig.side.go();
    rig.side.put<uint16_t>(kQueueSize, 8);
    rig.side.set_area(kQueueDesc, 0x5000);
    rig.side.put<uint64_t>(kQueueDriver, 0x5000);
    rig.side.put<uint64_t>(kQueueDevice, ~uint64_t{0});
    rig.side.put<uint16_t>(kQueueEnable, 0);
    rig.side.put<uint16_t>(kNumQueues, 7);
    rig.side.put<uint16_t>(kQueueNotifyOff, 7);
    CHECK(rig.side.get<uint16_t>(kQueueSize) == kSize);
    CHECK(rig.side.get<uint64_t>(kQueueDesc) == kDescriptors);
    CHECK(rig.side.get<uint64_t>(kQueueDriver) == kDriverArea);
    CHECK(rig.side.get<uint64_t>(kQueueDevice) == kDeviceArea);
    CHECK(rig.side.get<uint16_t>(kQueueEnable) == 1);
    CHECK(rig.side.get<uint16_t>(kNumQueues) == 1);
    CHECK(rig.side.get<uint16_t>(kQueueNotifyOff) == 0);
    if (!running) rig.side.go();
    CHECK(rig.works());
}

TEST_CASE("virtio-pci, 4.1.4.3: a queue's size is a power of two up to the largest") {
    Rig rig;
    rig.side.negotiate(kVersion1);
    for (const unsigned size : {0u, 3u, 63u, 65u, 128u, 0x8000u, 0xffffu}) {
        rig.side.put<uint16_t>(kQueueSize, static_cast<uint16_t>(size));
        CHECK(rig.side.get<uint16_t>(kQueueSize) == kSize);
    }
    rig.side.put<uint16_t>(kQueueEnable, 2);  // 4.1.4.3.2: only 1 may be written
    CHECK(rig.side.get<uint16_t>(kQueueEnable) == 0);
    Rig small(GENERATE(uint16_t{1}, uint16_t{2}, uint16_t{32}));
    CHECK(small.side.start(*small.driver, kRingFeatures) == kRunning);
    CHECK(small.works());
    CHECK(small.works());
}

TEST_CASE(
    "virtio-pci: rings outside RAM or unaligned: NEEDS_RESET, an interrupt, and after a reset it works") {
    Rig rig;
    const auto area =
        GENERATE(&QueueState::descriptor_area, &QueueState::driver_area, &QueueState::device_area);
    const uint64_t address = GENERATE(kLowEnd, kLowEnd - 4, kHighEnd - 4, uint64_t{kBarBase}, ~uint64_t{0},
                                      uint64_t{1} << 63, ~uint64_t{0} - 15, uint64_t{0x10001});
    QueueState state = rig.driver->state();
    state.*area = Gpa{address};
    rig.side.negotiate(kVersion1 | kRingFeatures);
    rig.side.set_queue(0, state);
    rig.side.go();
    CHECK(rig.side.status() == (kRunning | kNeedsReset));
    CHECK(rig.side.doorbells.bound.empty());
    rig.side.notify();
    CHECK(rig.start_anew() == kRunning);
    CHECK(rig.works());
}

TEST_CASE("virtio-pci: rings may end exactly at the top of RAM") {
    Rig rig(1);
    QueueState state = rig.driver->state();
    state.descriptor_area = Gpa{kHighEnd - 16};
    rig.side.negotiate(kVersion1 | kRingFeatures);
    rig.side.set_queue(0, state);
    rig.side.go();
    CHECK(rig.side.status() == kRunning);
}

TEST_CASE("virtio-pci: a queue that a driver breaks while it runs: NEEDS_RESET, then a reset") {
    Rig rig;
    rig.side.start(*rig.driver, kRingFeatures);
    rig.driver->poke<uint16_t>(kDriverArea + kRingIndex, kSize + 1);  // rule 4
    rig.side.notify();
    CHECK(rig.side.status() == (kRunning | kNeedsReset));
    for (int i = 0; i < 100; ++i) rig.side.notify();
    CHECK(rig.side.status() == (kRunning | kNeedsReset));
    CHECK(rig.start_anew() == kRunning);
    CHECK(rig.works());
}

TEST_CASE("virtio-pci: a queue that doesn't exist has size 0, and nothing is done to it") {
    Rig rig;
    rig.side.negotiate(kVersion1 | kRingFeatures);
    for (const unsigned queue : {1u, 2u, 64u, 0x8000u, 0xffffu}) {
        rig.side.set_queue(static_cast<uint16_t>(queue), rig.driver->state(), 0);
        CHECK(rig.side.get<uint16_t>(kQueueSelect) == queue);
        CHECK(rig.side.get<uint16_t>(kQueueSize) == 0);
        CHECK(rig.side.get<uint16_t>(kQueueEnable) == 0);
        CHECK(rig.side.get<uint64_t>(kQueueDesc) == 0);
        CHECK(rig.side.get<uint16_t>(kQueueMsixVector) == PciInterrupts::kNoVector);
    }
    rig.side.set_queue(0, rig.driver->state());
    rig.side.go();
    for (uint32_t at = kDoorbellPart; at < kMsixTablePart; at += 2) rig.side.put<uint16_t>(at, 0xffff);
    CHECK(rig.works());
}

TEST_CASE("virtio-pci: DRIVER_OK with no queue enabled is legal, and nothing works until a reset") {
    Rig rig;
    rig.side.negotiate(kVersion1 | kRingFeatures);
    rig.side.go();
    CHECK(rig.side.status() == kRunning);
    rig.side.set_queue(0, rig.driver->state());  // 4.1.4.3.2: too late
    CHECK(rig.side.get<uint16_t>(kQueueEnable) == 0);
    rig.ask();
    CHECK_FALSE(rig.driver->get_used());
    CHECK(rig.start_anew() == kRunning);
    CHECK(rig.works());
}

TEST_CASE("virtio-pci: a reset with work queued leaves it alone") {
    Rig rig;
    rig.side.start(*rig.driver, kRingFeatures);
    for (int i = 0; i < 10; ++i) rig.driver->add({{kData, 32, true}});
    rig.driver->publish();
    rig.side.doorbells.ring(kBarBase + kDoorbellPart);  // rung, but the device's thread hasn't looked
    const auto before = rig.around.memory->slice(Gpa{0}, kLowEnd);
    const std::vector<std::byte> copy(before->begin(), before->end());
    rig.side.set_status(0);
    CHECK(rig.side.doorbells.bound.empty());
    pump(*rig.around.loop);
    CHECK(std::ranges::equal(*before, copy));
    CHECK(rig.start_anew() == kRunning);
    CHECK(rig.works());
}

TEST_CASE("virtio-pci: any width anywhere in the BAR is legal, and reads are always filled") {
    Rig rig;
    const bool running = GENERATE(false, true);
    rig.side.decode();
    if (running) rig.side.start(*rig.driver, kRingFeatures);
    for (const size_t width : {1u, 2u, 4u, 8u}) {
        for (uint64_t at = 0; at < kBarSize; at += at % kPart < 0x90 || at % kPart > 0xff8 ? 1 : 0x11) {
            std::array<std::byte, 8> bytes;
            bytes.fill(std::byte{0xee});
            rig.side.bars.device->read(at, std::span(bytes).first(width));
            // Nothing in there is ee, and nothing of ours is told.
            if (at >= 0x6000) CHECK(bytes[width - 1] == std::byte{0});
            rig.side.bars.device->write(at, std::span(bytes).first(width));
        }
    }
    pump(*rig.around.loop);
    rig.side.set_status(0);
    CHECK(rig.start_anew() == kRunning);
    CHECK(rig.works());
}

TEST_CASE("virtio-pci, 4.1.3.1: a write of another width than the register's changes nothing") {
    Rig rig;
    rig.side.negotiate(kVersion1);
    rig.side.put<uint32_t>(kDeviceStatus, 0);
    rig.side.put<uint16_t>(kDeviceStatus, 0);
    CHECK(rig.side.status() == (kAcknowledge | kDriver | kFeaturesOk));
    rig.side.put<uint8_t>(kQueueSelect, 5);
    rig.side.put<uint32_t>(kQueueSelect, 5);
    CHECK(rig.side.get<uint16_t>(kQueueSelect) == 0);
    rig.side.put<uint64_t>(kQueueDesc + 4, ~uint64_t{0});
    rig.side.put<uint32_t>(kQueueDesc + 2, ~uint32_t{0});
    rig.side.put<uint16_t>(kQueueDesc, 0xffff);
    CHECK(rig.side.get<uint64_t>(kQueueDesc) == 0);
    rig.side.put<uint64_t>(kQueueDesc, 0x1122'3344'5566'7788);
    CHECK(rig.side.get<uint64_t>(kQueueDesc) == 0x1122'3344'5566'7788);
    CHECK(rig.side.get<uint32_t>(kQueueDesc + 4) == 0x1122'3344);
    CHECK(rig.side.get<uint8_t>(kQueueDesc + 1) == 0x77);
}
