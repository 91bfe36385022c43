// The registers of a virtio-mmio device, and how a driver that keeps to them or doesn't fares.
// VIRTIO 1.3, 2.1, 3.1, 4.2.
#include "devices/virtio/mmio_transport.h"

#include "devices/virtio/entropy.h"
#include "tests/virtio/mmio_rig.h"
// After ours, whose CHECK is another.
#include "tests/catch.h"

using namespace carrel;
using namespace carrel::virtio;
using namespace carrel::virtio::test;
using carrel::test::pump;
using enum carrel::virtio::MmioRegister;

namespace {

constexpr QueueFeatures kEvents{.packed = false, .event_idx = true, .indirect = true};
constexpr uint16_t kSize = 64;
constexpr uint32_t kRunning = kAcknowledge | kDriver | kFeaturesOk | kDriverOk;

// A virtio-rng whose configuration can change.
class Changing final : public QueuedDevice {
  public:
    ~Changing() override { reset(); }
    std::string_view name() const override { return "changing"; }
    DeviceType type() const override { return DeviceType::kEntropy; }
    uint64_t features() const override { return 0; }
    std::span<const uint16_t> queue_sizes() const override { return kSizes; }
    void read_config(uint64_t offset, std::span<std::byte> data) override {
        for (size_t i = 0; i < data.size() && offset + i < 4; ++i) data[i] = std::byte{0x5a};
    }
    void write_config(uint64_t offset, std::span<const std::byte> data) override {
        written = offset + data.size();
    }
    void save(ByteWriter&) const override {}
    Result<void> restore(ByteReader&) override { return {}; }
    void change() { events().config_changed(); }
    uint64_t written = 0;

  private:
    static constexpr std::array<uint16_t, 3> kSizes = {64, 16, 256};
    void serve(uint16_t queue, DescriptorChain chain) override { chain.complete(queue); }
};

template <class Behind>
struct RigOf {
    // One request of 32 random bytes, rung for.
    void ask(uint32_t queue = 0) {
        driver->add({{kData, 32, true}});
        driver->publish();
        side.notify(queue);
    }
    bool works() {
        ask();
        const auto used = driver->get_used();
        return used && used->length == 32;
    }
    // A driver that begins anew, with rings as after a boot.
    uint32_t start_anew() {
        const std::vector<std::byte> zeros(0x10000);
        for (const uint64_t area : {kDescriptors, kDriverArea, kDeviceArea})
            around.memory->write_bytes(Gpa{area}, zeros);
        driver = make_driver(*around.memory, kSize, kEvents);
        return side.start(*driver, kRingFeatures);
    }
    Surroundings around;
    std::unique_ptr<Driver> driver = make_driver(*around.memory, kSize, kEvents);
    Behind behind;
    MmioSide side{around, behind};
};
using Rig = RigOf<Entropy>;

}  // namespace

TEST_CASE("virtio-mmio, 4.2.2: what it says it is") {
    Rig rig;
    CHECK(rig.side.get(kMagicValue) == 0x74726976);
    CHECK(rig.side.get(kVersion) == 2);
    CHECK(rig.side.get(kDeviceId) == 4);
    CHECK(rig.side.get(kVendorId) == 0x1af4);
    CHECK(rig.side.get(kConfigGeneration) == 0);
    CHECK(rig.side.status() == 0);
}

TEST_CASE("virtio-mmio: a driver that keeps the rules gets its random bytes") {
    Rig rig;
    CHECK(rig.side.negotiate(rig.side.offered()));
    CHECK(rig.side.start(*rig.driver, kRingFeatures) == kRunning);
    for (int i = 0; i < 200; ++i) REQUIRE(rig.works());
    CHECK(rig.behind.malformed() == 0);
}

TEST_CASE("virtio-mmio, 4.2.3.3: a doorbell for each queue, told apart by what is written") {
    RigOf<Changing> rig;
    rig.side.negotiate(kVersion1 | kRingFeatures);
    QueueState state = rig.driver->state();
    state.size = 16;
    rig.side.set_queue(1, state);
    CHECK(rig.side.doorbells.bound.empty());
    rig.side.go();
    REQUIRE(rig.side.doorbells.bound.size() == 1);
    CHECK(rig.side.doorbells.bound[0].address == kMmioBase + 0x50);
    CHECK(rig.side.doorbells.bound[0].match == 1u);
    rig.side.set_status(0);
    CHECK(rig.side.doorbells.bound.empty());
}

TEST_CASE("virtio-mmio: where no doorbell can be bound, the same write works by an exit") {
    Rig rig;
    rig.side.doorbells.refuse = true;
    CHECK(rig.side.start(*rig.driver, kRingFeatures) == kRunning);
    CHECK(rig.works());
    for (const uint32_t queue : {1u, 0xffffu, 0x1'0000u, 0xffff'ffffu}) rig.ask(queue);
    CHECK_FALSE(rig.driver->get_used());
}

TEST_CASE("virtio-mmio, 4.2.3.4: the line is up until every cause has been acknowledged") {
    RigOf<Changing> rig;
    rig.side.start(*rig.driver, 0);
    rig.ask();
    CHECK(rig.side.irq.level);
    CHECK(rig.side.get(kInterruptStatus) == 1);
    CHECK(rig.side.get(kInterruptStatus) == 1);  // reading changes nothing
    rig.behind.change();
    CHECK(rig.side.get(kInterruptStatus) == 3);
    CHECK(rig.side.get(kConfigGeneration) == 1);
    rig.side.put(kInterruptAck, 1);
    CHECK(rig.side.irq.level);
    CHECK(rig.side.get(kInterruptStatus) == 2);
    rig.side.put(kInterruptAck, 0xffff'ffff);
    CHECK_FALSE(rig.side.irq.level);
    rig.behind.change();
    CHECK(rig.side.get(kConfigGeneration) == 2);
    rig.side.set_status(0);
    CHECK_FALSE(rig.side.irq.level);
    CHECK(rig.side.get(kInterruptStatus) == 0);
}

TEST_CASE("virtio-mmio: device configuration, by any width") {
    RigOf<Changing> rig;
    CHECK(rig.side.get_at<uint8_t>(0x103) == 0x5a);
    CHECK(rig.side.get_at<uint64_t>(0x100) == 0x5a5a'5a5a);
    CHECK(rig.side.get_at<uint32_t>(0xffc) == 0);
    rig.side.put_at<uint16_t>(0x104, 1);
    CHECK(rig.behind.written == 6);
}

TEST_CASE("virtio-mmio, rule 5: FEATURES_OK doesn't stay with a feature that isn't offered") {
    Rig rig;
    const uint64_t offered = rig.side.offered();
    CHECK((offered & kVersion1) != 0);
    for (unsigned bit = 0; bit < 64; ++bit) {
        INFO("bit " << bit);
        CHECK(rig.side.negotiate(kVersion1 | feature(bit)) == ((offered & feature(bit)) != 0));
    }
    CHECK_FALSE(rig.side.negotiate(0));
    rig.side.put(kDeviceFeaturesSel, 2);
    CHECK(rig.side.get(kDeviceFeatures) == 0);
}

TEST_CASE("virtio-mmio: bits of the status are set, never cleared, but by a reset") {
    Rig rig;
    rig.side.start(*rig.driver, kRingFeatures);
    rig.side.set_status(kAcknowledge);
    CHECK(rig.side.status() == kRunning);
    rig.side.set_status(0x1'0000);  // no such bit, and not the reset that its low byte would be
    CHECK(rig.side.status() == kRunning);
    CHECK(rig.works());
    rig.side.set_status(0);
    CHECK(rig.side.status() == 0);
    CHECK(rig.side.get(kQueueReady) == 0);
    CHECK(rig.start_anew() == kRunning);
    CHECK(rig.works());
}

TEST_CASE("virtio-mmio: a queue that doesn't exist has size 0, and nothing is done to it") {
    Rig rig;
    rig.side.negotiate(kVersion1 | kRingFeatures);
    for (const uint32_t queue : {1u, 64u, 0xffffu, 0x1'0000u, 0xffff'ffffu}) {
        rig.side.set_queue(queue, rig.driver->state());
        CHECK(rig.side.get(kQueueSizeMax) == 0);
        CHECK(rig.side.get(kQueueReady) == 0);
    }
    rig.side.put(kQueueSel, 0);
    CHECK(rig.side.get(kQueueSizeMax) == kSize);
    CHECK(rig.side.get(kQueueReady) == 0);
    rig.side.put(kQueueReady, 2);
    CHECK(rig.side.get(kQueueReady) == 0);
}

TEST_CASE("virtio-mmio: rings outside RAM: NEEDS_RESET, and after a reset it works") {
    Rig rig;
    QueueState state = rig.driver->state();
    const uint64_t address = GENERATE(kLowEnd, kHighEnd - 4, ~uint64_t{0}, uint64_t{1} << 63, kMmioBase);
    state.descriptor_area = Gpa{address};
    rig.side.negotiate(kVersion1 | kRingFeatures);
    rig.side.set_queue(0, state);
    rig.side.go();
    CHECK(rig.side.status() == (kRunning | kNeedsReset));
    CHECK(rig.side.doorbells.bound.empty());
    CHECK(rig.start_anew() == kRunning);
    CHECK(rig.works());
}

TEST_CASE("virtio-mmio: a queue that a driver breaks while it runs: NEEDS_RESET, an interrupt, a reset") {
    Rig rig;
    rig.side.start(*rig.driver, kRingFeatures);
    rig.driver->poke<uint16_t>(kDriverArea + kRingIndex, kSize + 1);  // rule 4
    rig.side.notify();
    CHECK(rig.side.status() == (kRunning | kNeedsReset));
    CHECK(rig.side.get(kInterruptStatus) == 2);
    CHECK(rig.start_anew() == kRunning);
    CHECK(rig.works());
}

TEST_CASE("virtio-mmio, 4.2.2.2: other widths read what lies there, and write nothing") {
    Rig rig;
    rig.side.negotiate(kVersion1);
    CHECK(rig.side.get_at<uint8_t>(0x001) == 0x69);
    CHECK(rig.side.get_at<uint16_t>(0x002) == 0x7472);
    CHECK(rig.side.get_at<uint64_t>(0x000) == 0x2'7472'6976);
    CHECK(rig.side.get_at<uint64_t>(0x0fc) == 0);  // 0x100 isn't a control register any more
    rig.side.put_at<uint8_t>(0x070, 0);
    rig.side.put_at<uint16_t>(0x070, 0);
    rig.side.put_at<uint64_t>(0x070, 0);
    rig.side.put_at<uint32_t>(0x06e, 0);
    CHECK(rig.side.status() == (kAcknowledge | kDriver | kFeaturesOk));
    for (const size_t width : {1u, 2u, 4u, 8u}) {
        for (uint64_t at = 0; at < kMmioSize; at += at < 0x110 ? 1 : 0x11) {
            std::array<std::byte, 8> bytes;
            bytes.fill(std::byte{0xee});
            rig.side.device().read(at, std::span(bytes).first(width));
            for (size_t i = 0; i < width; ++i) CHECK(bytes[i] != std::byte{0xee});
            rig.side.device().write(at, std::span(bytes).first(width));
        }
    }
    pump(*rig.around.loop);
    CHECK(rig.start_anew() == kRunning);
    CHECK(rig.works());
}

TEST_CASE("virtio-mmio, 4.2.2.1: there is no shared memory region") {
    Rig rig;
    for (const uint32_t id : {0u, 1u, 0xffu}) {
        rig.side.put_at<uint32_t>(0x0ac, id);
        for (const auto reg : {kShmLenLow, kShmLenHigh, kShmBaseLow, kShmBaseHigh})
            CHECK(rig.side.get(reg) == 0xffff'ffff);
    }
}

TEST_CASE("virtio-mmio: moved to another instance again and again while the driver works, it loses nothing") {
    Surroundings around;
    struct Instance {
        explicit Instance(Surroundings& a) : side(a, device) {}
        Entropy device;
        MmioSide side;
    };
    const auto driver = make_driver(*around.memory, kSize, kEvents);
    auto now = std::make_unique<Instance>(around);
    REQUIRE(now->side.start(*driver, kRingFeatures) == kRunning);
    int asked = 0, answered = 0;
    for (int round = 0; round < 100; ++round) {
        for (int i = 0; i <= round % 5; ++i, ++asked) driver->add({{kData, 32, true}});
        driver->publish();
        if (round % 3 != 0) now->side.notify();
        while (driver->get_used()) ++answered;
        REQUIRE(now->device.quiesce(kSecond));
        const bool level = now->side.irq.level;
        const auto bytes = now->side.saved();
        auto next = std::make_unique<Instance>(around);
        REQUIRE(next->side.restores(bytes));
        CHECK(next->side.saved() == bytes);
        CHECK(next->side.irq.level == level);
        CHECK(next->side.doorbells.bound.size() == 1);
        next->device.resume();
        now = std::move(next);
    }
    now->side.notify();
    while (driver->get_used()) ++answered;
    CHECK(asked == answered);
}

TEST_CASE("virtio-mmio: saved bytes that are damaged are refused, or are another possible state") {
    Rig rig;
    rig.side.start(*rig.driver, kRingFeatures);
    rig.ask();
    REQUIRE(rig.behind.quiesce(kSecond));
    const auto good = rig.side.saved();
    for (size_t at = 0; at < good.size(); ++at) {
        for (const unsigned change : {0x01u, 0x80u, 0xffu, 0x04u}) {
            auto bytes = good;
            bytes[at] ^= static_cast<std::byte>(change);
            Rig other;
            const bool taken = other.side.restores(bytes);
            if (!taken) CHECK(other.side.saved() == Rig().side.saved());
            CHECK(other.start_anew() == kRunning);
            CHECK(other.works());
        }
    }
    carrel::test::for_each_damage(good, [&](std::span<const std::byte> bytes) {
        Rig other;
        CHECK_FALSE(other.side.restores(bytes));
    });
}
