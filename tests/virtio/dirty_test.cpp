// DESIGN.md section 10: whatever a device writes into guest memory, rings included, is in the log of dirty
// pages. Memory is compared with a copy, so that it doesn't matter who wrote.
#include "devices/virtio/entropy.h"
#include "tests/virtio/block_rig.h"
#include "tests/virtio/mmio_rig.h"
// After ours, whose CHECK is another.
#include "tests/catch.h"

using namespace carrel;
using namespace carrel::virtio;
using namespace carrel::virtio::test;

namespace {

// From its making on, without what the driver writes: pages that differ and aren't marked.
class Watch {
  public:
    explicit Watch(GuestMemory& memory) : memory_(memory) {
        REQUIRE(memory.start_dirty_log().ok());
        copy();
    }
    // The driver has written: that isn't the device's doing.
    void copy() {
        before_.clear();
        for (const auto& region : memory_.regions())
            before_.emplace_back(region.host, region.host + region.size);
        (void)take();
    }
    size_t missed() {
        const std::vector<Gpa> marked = take();
        marks_ = marked.size();
        size_t missed = 0;
        changes_ = 0;
        for (size_t i = 0; i < before_.size(); ++i) {
            const auto& region = memory_.regions()[i];
            for (uint64_t at = 0; at < region.size; at += kPageSize) {
                if (std::memcmp(region.host + at, before_[i].data() + at, kPageSize) == 0) continue;
                ++changes_;
                if (!std::ranges::binary_search(marked, region.base + at)) ++missed;
            }
        }
        return missed;
    }
    size_t changes() const { return changes_; }
    size_t marks() const { return marks_; }

  private:
    std::vector<Gpa> take() {
        std::vector<Gpa> all;
        for (const auto& region : memory_.regions())
            for (const Gpa page : memory_.take_dirty(region.base, region.size)) all.push_back(page);
        return all;
    }
    GuestMemory& memory_;
    std::vector<std::vector<std::byte>> before_;
    size_t changes_ = 0;
    size_t marks_ = 0;
};

constexpr QueueFeatures kSplit{.packed = false, .event_idx = true, .indirect = true};
constexpr QueueFeatures kPacked{.packed = true, .event_idx = true, .indirect = true};

}  // namespace

TEST_CASE("dirty: random bytes, the ring that gives them back, and the wish to be notified") {
    const QueueFeatures features = GENERATE(kSplit, kPacked);
    Surroundings around;
    Entropy device;
    MmioSide side(around, device);
    const auto driver = make_driver(*around.memory, 64, features);
    side.start(*driver, kRingFeatures | (features.packed ? kRingPacked : 0));
    Watch watch(*around.memory);
    size_t changes = 0;
    for (unsigned round = 0; round < 60; ++round) {
        const uint64_t at = kData + round * 0x2345;
        driver->add({{at, 3000, true}, {at + 5000, 3000, true}});
        driver->publish();
        watch.copy();
        side.notify();
        CHECK(watch.missed() == 0);
        changes += watch.changes();
        CHECK(watch.marks() <= watch.changes() + 3);  // and not everything
        CHECK(driver->get_used());
    }
    CHECK(changes >= 60 * 3);
}

TEST_CASE("dirty: what io_uring reads into memory, the status behind it, and failed requests") {
    if (!uring_here()) return;
    const bool packed = GENERATE(false, true);
    BlockSide side(make_image(4096), "disk", 128, packed);
    side.image.in_memory = GENERATE(false, true);
    Watch watch(*side.memory);
    for (uint64_t sector = 0; sector < 3000; sector += 97) {
        const auto length = static_cast<uint32_t>((sector % 13 + 1) * kSectorSize);
        side.header(kBlockIn, sector);
        side.driver->add({{kData, 16}, {kData + 0x10e00, length, true}, {kData + 0x30000 + sector, 1, true}});
        side.driver->publish();
        watch.copy();
        REQUIRE(side.send());
        CHECK(watch.missed() == 0);
        CHECK(watch.changes() >= 2);
    }
    SECTION("beyond the end of the disk") {
        side.header(kBlockIn, 1 << 20);
    }
    SECTION("its name") {
        side.header(kBlockGetId, 0);
    }
    SECTION("nothing it knows") {
        side.header(77, 0);
    }
    side.driver->poke<uint8_t>(kData + 0x3ffff, 0xff);
    side.driver->add({{kData, 16}, {kData + 0x20000, 512, true}, {kData + 0x3ffff, 1, true}});
    side.driver->publish();
    watch.copy();
    REQUIRE(side.send());
    CHECK(watch.missed() == 0);
    CHECK(watch.changes() >= 2);
}
