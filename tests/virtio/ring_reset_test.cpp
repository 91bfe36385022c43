// A queue that is reset by itself: VIRTIO 1.3, 2.6.1, over both transports.
#include "devices/virtio/block/block.h"
#include "tests/virtio/block_rig.h"
#include "tests/virtio/mmio_rig.h"
#include "tests/virtio/pci_rig.h"
// After ours, whose CHECK is another.
#include "tests/catch.h"

using namespace carrel;
using namespace carrel::virtio;
using namespace carrel::virtio::test;
using Reg = carrel::virtio::MmioRegister;

namespace {

constexpr uint16_t kSize = 16;
constexpr QueueFeatures kPlain{};

// Two queues; what is made available is kept until finish(), or until a drain completes it.
class Keeper final : public QueuedDevice {
  public:
    ~Keeper() override { reset(); }
    std::string_view name() const override { return "keeper"; }
    DeviceType type() const override { return DeviceType::kEntropy; }
    uint64_t features() const override { return 0; }
    std::span<const uint16_t> queue_sizes() const override { return kSizes; }
    void read_config(uint64_t, std::span<std::byte>) override {}
    void write_config(uint64_t, std::span<const std::byte>) override {}
    void save(ByteWriter&) const override {}
    Result<void> restore(ByteReader&) override { return {}; }
    size_t kept(uint16_t queue) {
        MutexLock lock(mutex_);
        return kept_[queue].size();
    }
    bool stuck = false;

  private:
    static constexpr std::array<uint16_t, 2> kSizes = {kSize, kSize};
    void serve(uint16_t queue, DescriptorChain chain) override REQUIRES(mutex_) {
        kept_[queue].push_back(std::move(chain));
    }
    bool drain(bool abandon, Nanoseconds limit) override REQUIRES(mutex_) {
        bool drained = true;
        for (const uint16_t queue : {uint16_t{0}, uint16_t{1}}) drained &= drain_one(queue, abandon, limit);
        return drained;
    }
    bool drain_queue(uint16_t queue, Nanoseconds limit) override REQUIRES(mutex_) {
        return drain_one(queue, false, limit);
    }
    bool drain_one(uint16_t queue, bool abandon, Nanoseconds) REQUIRES(mutex_) {
        if (stuck) return false;
        for (DescriptorChain& chain : kept_[queue]) abandon ? chain.abandon() : chain.complete(7);
        kept_[queue].clear();
        if (!abandon) publish(queue);
        return true;
    }
    std::array<std::vector<DescriptorChain>, 2> kept_ GUARDED_BY(mutex_);
};

// The second queue's rings lie 1 MiB behind the first's.
struct Rig {
    Rig() : driver(make_driver(*around.memory, kSize, kPlain)) {}
    QueueState second() const {
        QueueState state = driver->state();
        for (Gpa* area : {&state.descriptor_area, &state.driver_area, &state.device_area})
            *area = *area + kMiB;
        return state;
    }
    void ask() {
        driver->add({{kData, 32, true}});
        driver->publish();
        side.notify();
    }
    // Rings as a driver makes them for a queue that it enables again.
    void forget_rings() {
        const std::vector<std::byte> zeros(0x10000);
        for (const uint64_t area : {kDescriptors, kDriverArea, kDeviceArea})
            around.memory->write_bytes(Gpa{area}, zeros);
        driver = make_driver(*around.memory, kSize, kPlain);
    }
    uint32_t start(uint64_t features = kRingReset) {
        side.negotiate(kVersion1 | features);
        side.set_queue(1, second());
        side.set_queue(0, driver->state());
        side.go();
        return side.status();
    }
    Surroundings around;
    std::unique_ptr<Driver> driver;
    Keeper device;
    MmioSide side{around, device};
};

constexpr uint32_t kRunning = kAcknowledge | kDriver | kFeaturesOk | kDriverOk;

}  // namespace

TEST_CASE(
    "ring reset, 2.6.1: ends what the queue has, leaves the other alone, and works again when enabled") {
    Rig rig;
    REQUIRE(rig.start() == kRunning);
    REQUIRE(rig.side.doorbells.bound.size() == 2);
    for (int round = 0; round < 5; ++round) {
        rig.ask();
        rig.ask();
        REQUIRE(rig.device.kept(0) == (round == 0 ? 2 : 3));
        rig.side.put(Reg::kQueueSel, 0);
        rig.side.put(Reg::kQueueReset, 1);
        CHECK(rig.side.get(Reg::kQueueReset) == 0);
        CHECK(rig.side.get(Reg::kQueueReady) == 0);
        CHECK(rig.device.kept(0) == 0);
        CHECK(rig.side.status() == kRunning);
        CHECK(rig.side.doorbells.bound.size() == 1);
        // What is made available now isn't looked at.
        const auto before = rig.around.memory->slice(Gpa{0}, kLowEnd);
        rig.driver->add({{kData, 32, true}});
        rig.driver->publish();
        const std::vector<std::byte> copy(before->begin(), before->end());
        rig.side.notify();
        CHECK(std::ranges::equal(*before, copy));
        rig.forget_rings();
        rig.side.set_queue(0, rig.driver->state());
        CHECK(rig.side.get(Reg::kQueueReady) == 1);
        CHECK(rig.side.doorbells.bound.size() == 2);
        rig.ask();
        CHECK(rig.device.kept(0) == 1);
    }
    CHECK(rig.side.status() == kRunning);
}

TEST_CASE(
    "ring reset: a driver that hasn't taken the feature can neither reset a queue nor enable it again") {
    Rig rig;
    REQUIRE(rig.start(0) == kRunning);
    rig.side.put(Reg::kQueueReset, 1);
    CHECK(rig.side.get(Reg::kQueueReady) == 1);
    rig.ask();
    CHECK(rig.device.kept(0) == 1);
    rig.side.put(Reg::kQueueReady, 0);  // 4.2.3.2: to stop using it, it can
    CHECK(rig.side.get(Reg::kQueueReady) == 0);
    CHECK(rig.device.kept(0) == 0);
    rig.forget_rings();
    rig.side.set_queue(0, rig.driver->state());
    CHECK(rig.side.get(Reg::kQueueReady) == 0);
    CHECK(rig.side.status() == kRunning);
}

TEST_CASE("ring reset: rings that aren't RAM, or chains that don't end: NEEDS_RESET, and a reset helps") {
    Rig rig;
    rig.start();
    SECTION("not RAM") {
        rig.side.put(Reg::kQueueReset, 1);
        QueueState state = rig.driver->state();
        state.device_area = Gpa{kLowEnd};
        rig.side.set_queue(0, state);
    }
    SECTION("stuck") {
        rig.ask();
        rig.device.stuck = true;
        rig.side.put(Reg::kQueueReset, 1);
        CHECK(rig.side.get(Reg::kQueueReady) == 1);
        rig.device.stuck = false;
    }
    CHECK(rig.side.status() == (kRunning | kNeedsReset));
    rig.forget_rings();
    CHECK(rig.start() == kRunning);
    rig.ask();
    CHECK(rig.device.kept(0) == 1);
}

TEST_CASE(
    "ring reset: a device with a queue that is reset is restored as it was, and the queue enabled then") {
    Rig rig;
    rig.start();
    rig.side.put(Reg::kQueueReset, 1);
    REQUIRE(rig.device.quiesce(kSecond));
    const auto bytes = rig.side.saved();
    Keeper next;
    MmioSide side(rig.around, next);
    REQUIRE(side.restores(bytes));
    CHECK(side.saved() == bytes);
    CHECK(side.doorbells.bound.size() == 1);
    rig.forget_rings();
    side.set_queue(0, rig.driver->state());
    rig.driver->add({{kData, 32, true}});
    rig.driver->publish();
    side.notify();
    CHECK(next.kept(0) == 1);
}

TEST_CASE("ring reset, 4.1.4.3: queue_reset of a PCI function") {
    Surroundings around;
    Keeper device;
    PciSide side(around, device);
    auto driver = make_driver(*around.memory, kSize, kPlain);
    REQUIRE(side.start(*driver, kRingReset) == kRunning);
    driver->add({{kData, 32, true}});
    driver->publish();
    side.notify();
    REQUIRE(device.kept(0) == 1);
    side.put<uint16_t>(kQueueReset, 2);
    CHECK(side.get<uint16_t>(kQueueEnable) == 1);
    side.put<uint16_t>(kQueueReset, 1);
    CHECK(side.get<uint16_t>(kQueueReset) == 0);
    CHECK(side.get<uint16_t>(kQueueEnable) == 0);
    CHECK(device.kept(0) == 0);
    CHECK(driver->get_used() == Used{0, 7});
    CHECK(side.doorbells.bound.empty());
    side.put<uint16_t>(kQueueReset, 1);  // a second time: nothing to do
    CHECK(side.status() == kRunning);
}

TEST_CASE("ring reset: a disk's requests have ended when its queue is reset") {
    if (!uring_here()) return;
    Surroundings around;
    const DiskImage image = make_image(64);
    const auto throttle = no_limit(*around.loop);
    auto disk = Block::create(*around.loop, image, "disk", *throttle, nullptr).value();
    MmioSide side(around, *disk);
    auto driver = make_driver(*around.memory, kSize, kPlain);
    REQUIRE(side.start(*driver, kRingReset) == kRunning);
    for (int round = 0; round < 3; ++round) {
        for (uint64_t i = 0; i < 4; ++i) {
            around.memory->write(Gpa{kData + i * 0x1000}, BlockHeader{kBlockIn, 0, i});
            driver->add({{kData + i * 0x1000, 16}, {kData + 0x10000 + i * 512, 513, true}});
        }
        driver->publish();
        side.notify();
        side.put(Reg::kQueueReset, 1);
        CHECK(side.get(Reg::kQueueReady) == 0);
        int ended = 0;
        while (driver->get_used()) ++ended;
        CHECK(ended == 4);
        CHECK(side.status() == kRunning);
        const std::vector<std::byte> zeros(0x1000);
        for (const uint64_t area : {kDescriptors, kDriverArea, kDeviceArea})
            around.memory->write_bytes(Gpa{area}, zeros);
        driver = make_driver(*around.memory, kSize, kPlain);
        side.set_queue(0, driver->state());
        CHECK(side.get(Reg::kQueueReady) == 1);
    }
}
