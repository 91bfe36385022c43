// A disk whose requests take their time: resets, saves and ends meanwhile. A socket stands for the slow disk:
// what is read from it waits until somebody at the other end writes, what is written goes at once.
#include <sys/socket.h>

#include "devices/virtio/entropy.h"
#include "devices/virtio/pci_transport.h"
#include "tests/virtio/block_rig.h"
#include "tests/virtio/pci_rig.h"
// After ours, whose CHECK is another.
#include "tests/catch.h"

using namespace carrel;
using namespace carrel::virtio;
using namespace carrel::virtio::test;

namespace {

using Bytes = std::vector<uint8_t>;
constexpr uint64_t kHeaderAt = BlockSide::kHeaderAt, kStatusAt = BlockSide::kStatusAt,
                   kBufferAt = BlockSide::kBufferAt;

struct SlowDisk {
    SlowDisk() {
        int ends[2];
        if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) std::abort();
        image.fd = Fd(ends[0]);
        image.bytes = 1 << 20;
        other = Fd(ends[1]);
    }
    // One waiting read of a sector ends.
    void answer(size_t sectors = 1) {
        const Bytes data(512 * sectors, 0x5a);
        if (::write(other.get(), data.data(), data.size()) != static_cast<ssize_t>(data.size())) std::abort();
    }
    DiskImage image;
    Fd other;
};

// A read of one sector, header, data and status at `n`'s place.
uint16_t add_read(BlockSide& side, uint32_t n) {
    const uint64_t at = kHeaderAt + n * 0x1000;
    side.header(kBlockIn, 0, at);  // a socket has no other place
    side.driver->poke<uint8_t>(at + 16, 0xff);
    return side.driver->add({{at, 16}, {at + 0x200, 512, true}, {at + 16, 1, true}});
}

Bytes all_of(BlockSide& side) {
    return side.bytes(0, kLowEnd);
}

}  // namespace

TEST_CASE("disk: what ends first goes back first") {
    if (!uring_here()) return;
    SlowDisk disk;
    BlockSide side(std::move(disk.image));
    const uint16_t slow = add_read(side, 0);
    side.kick();
    side.header(kBlockGetId, 0, kHeaderAt + 0x8000);
    const uint16_t quick = side.driver->add({{kHeaderAt + 0x8000, 16}, {kHeaderAt + 0x8100, 21, true}});
    CHECK(side.send().value() == Used{quick, 21});
    CHECK_FALSE(side.driver->get_used());
    disk.answer();
    REQUIRE(side.wait_for(2));
    CHECK(side.driver->get_used() == Used{slow, 513});
    CHECK(side.bytes(kHeaderAt + 0x200, 512) == Bytes(512, 0x5a));
}

TEST_CASE("disk: a reset waits for what is in flight, and the guest's memory stays as it is afterwards") {
    if (!uring_here()) return;
    SlowDisk disk;
    BlockSide side(std::move(disk.image));
    for (uint32_t n = 0; n < 8; ++n) add_read(side, n);
    side.kick();
    disk.answer(8);
    side.block->reset();
    const Bytes after = all_of(side);
    carrel::test::pump(*side.loop);
    CHECK((all_of(side) == after));
    CHECK_FALSE(side.driver->get_used());  // nothing is given back in a reset
    side.forget_rings();
    REQUIRE(side.start() == nullptr);
    const uint16_t id = add_read(side, 1);
    disk.answer();
    CHECK(side.send().value() == Used{id, 513});
}

TEST_CASE("disk: a reset with real requests in flight, many times") {
    if (!uring_here()) return;
    BlockSide side(make_image(64));
    for (int round = 0; round < 50; ++round) {
        for (uint32_t n = 0; n < 30; ++n) add_read(side, n);
        side.kick();
        if (round % 2 == 0) carrel::test::pump(*side.loop, 1);
        side.block->reset();
        side.forget_rings();
        const Bytes after = all_of(side);
        carrel::test::pump(*side.loop);
        REQUIRE((all_of(side) == after));
        REQUIRE(side.start() == nullptr);
        REQUIRE(side.request(kBlockIn, 5, 512) == kBlockOk);
    }
}

TEST_CASE(
    "disk: a disk that doesn't answer: the reset ends after 5 s, and what comes later touches no ring") {
    if (!uring_here()) return;
    SlowDisk disk;
    BlockSide side(std::move(disk.image));
    add_read(side, 0);
    add_read(side, 1);
    side.kick();
    const Nanoseconds begin = side.clock.now();
    side.block->reset();
    const Nanoseconds took = side.clock.now() - begin;
    CHECK(took > 4 * kSecond);
    CHECK(took < 8 * kSecond);
    // The device says so: it can't be had again yet.
    side.forget_rings();
    CHECK(side.start() != nullptr);
    side.block->notify(0);
    side.block->resume();
    side.run_again();
    side.fill(kHeaderAt, 0x20, 0xcc);
    const Bytes after = all_of(side);
    disk.answer();
    for (int i = 0; i < 20; ++i) carrel::test::pump(*side.loop);
    Bytes now = all_of(side);
    // The kernel's data can't be held back; a status or a used ring of ours can.
    std::fill_n(now.begin() + static_cast<long>(kHeaderAt + 0x200), 512, uint8_t{0});
    std::fill_n(now.begin() + static_cast<long>(kHeaderAt + 0x1200), 512, uint8_t{0});
    CHECK((now == after));  // too long to be printed
    CHECK(side.interrupts == 0);
    disk.answer();
    carrel::test::pump(*side.loop);
    // Now that nothing is under way any more, a reset brings it back.
    side.block->reset();
    side.forget_rings();
    REQUIRE(side.start() == nullptr);
    const uint16_t id = add_read(side, 2);
    disk.answer();
    CHECK(side.send().value() == Used{id, 513});
}

TEST_CASE("disk: what is in flight when its guest has ended is asked after, and never waited for once more") {
    if (!uring_here()) return;
    SlowDisk disk;
    BlockSide side(std::move(disk.image));
    add_read(side, 0);
    side.kick();
    const Bytes before = all_of(side);
    const SystemClock clock;
    const Nanoseconds begin = clock.now();
    CHECK_FALSE(side.block->abandon(0));
    CHECK_FALSE(side.block->abandon(0));
    side.block->reset();
    CHECK(clock.now() - begin < 3 * kSecond);  // five where a reset is the first to ask
    disk.answer();
    CHECK(side.block->abandon(kSecond));
    Bytes after = all_of(side);
    std::copy_n(before.begin() + kHeaderAt + 0x200, 512,
                after.begin() + kHeaderAt + 0x200);  // which was under way
    CHECK(after == before);
}

TEST_CASE("disk: one that never answers can be destroyed") {
    if (!uring_here()) return;
    SlowDisk disk;
    BlockSide side(std::move(disk.image));
    add_read(side, 0);
    side.kick();
    side.block.reset();
    carrel::test::pump(*side.loop);
}

TEST_CASE(
    "disk: a driver that enables no queue harms nobody, with the last driver's completions still to be "
    "told") {
    if (!uring_here()) return;
    BlockSide side(make_image(16));
    add_read(side, 0);
    side.kick();
    side.block->reset();  // the ring's eventfd stays rung
    const QueueState none;
    REQUIRE(side.block->activate({kVersion1, {&none, 1}}) == nullptr);
    carrel::test::pump(*side.loop);
    side.block->notify(0);
    CHECK(side.block->quiesce(kSecond));
    side.block->resume();
    side.block->reset();
    side.forget_rings();
    REQUIRE(side.start() == nullptr);
    CHECK(side.request(kBlockIn, 0, 512) == kBlockOk);
}

TEST_CASE("disk: a quiesce that is too short fails, and traffic goes on after resume()") {
    if (!uring_here()) return;
    SlowDisk disk;
    BlockSide side(std::move(disk.image));
    const uint16_t first = add_read(side, 0);
    side.kick();
    CHECK_FALSE(side.block->quiesce(50 * kMillisecond));
    const uint16_t second = add_read(side, 1);
    side.kick();  // not taken up
    disk.answer();
    REQUIRE(side.wait_for(1));
    CHECK(side.driver->get_used() == Used{first, 513});
    disk.answer();
    carrel::test::pump(*side.loop);
    CHECK_FALSE(side.driver->get_used());
    side.block->resume();
    CHECK(side.send().value() == Used{second, 513});
}

TEST_CASE(
    "disk: when long requests hold all room, the next one waits without a busy loop, and nothing is lost") {
    if (!uring_here()) return;
    SlowDisk disk;
    BlockSide side(std::move(disk.image), "disk", 256);
    // 8192 pieces is all that there is room for: 240 each, 34 requests.
    constexpr uint32_t kRequests = 40;
    Buffers buffers{{kHeaderAt, 16}};
    side.header(kBlockIn, 0);
    for (uint32_t i = 0; i < 238; ++i) buffers.push_back({kBufferAt + i * 512, i == 0 ? 512u : 1u, true});
    buffers[2].length = 512 - 236;  // 1024 in all
    buffers.push_back({kStatusAt, 1, true});
    for (uint32_t i = 0; i < kRequests; ++i) side.driver->add_indirect(buffers, kTables);
    side.kick();
    for (int i = 0; i < 20; ++i) {
        carrel::test::pump(*side.loop);
        side.run_again();
    }
    CHECK(side.agains < 10);
    uint32_t back = 0;
    for (uint32_t i = 0; i < kRequests; ++i) {
        disk.answer(2);
        REQUIRE(carrel::test::pump_until(*side.loop, [&] {
            side.run_again();
            while (side.driver->get_used()) ++back;
            return back > i;
        }));
    }
    CHECK(back == kRequests);
}

TEST_CASE("disk: behind PCI, moved to another instance in the middle of traffic, it loses nothing") {
    if (!uring_here()) return;
    Surroundings around;
    const DiskImage image = make_image(64);
    const auto driver =
        make_driver(*around.memory, 256, {.packed = false, .event_idx = true, .indirect = true});
    struct Instance {
        Instance(Surroundings& s, const DiskImage& i)
            : throttle(no_limit(*s.loop)),
              block(Block::create(*s.loop, i, "disk", *throttle, nullptr).value()),
              side(s, *block) {}
        std::unique_ptr<Throttle> throttle;
        std::unique_ptr<Block> block;
        PciSide side;
    };
    auto now = std::make_unique<Instance>(around, image);
    REQUIRE((now->side.start(*driver, kRingFeatures | kBlockFlush) & kNeedsReset) == 0);
    uint32_t asked = 0, answered = 0;
    for (uint32_t round = 0; round < 60; ++round) {
        for (uint32_t n = 0; n < 20; ++n, ++asked) {
            const uint64_t at = kData + (asked % 200) * 0x400;
            around.memory->write(Gpa{at}, BlockHeader{kBlockIn, 0, asked % 64});
            driver->add_indirect({{at, 16}, {at + 0x200, 513, true}}, kTables + (asked % 200) * 32);
        }
        driver->publish();
        now->side.doorbells.ring(kBarBase + kDoorbellPart);
        if (round % 2 == 0) carrel::test::pump(*around.loop, 1);  // some, but hardly all, end
        REQUIRE(now->block->quiesce(kSecond));
        const auto bytes = now->side.saved();
        auto next = std::make_unique<Instance>(around, image);
        REQUIRE(next->side.restores(bytes));
        now = std::move(next);
        REQUIRE(carrel::test::pump_until(*around.loop, [&] {
            while (driver->get_used()) ++answered;
            return answered + 40 >= asked;
        }));
    }
    CHECK(carrel::test::pump_until(*around.loop, [&] {
        while (driver->get_used()) ++answered;
        return answered == asked;
    }));
    CHECK((now->side.status() & kNeedsReset) == 0);
}
