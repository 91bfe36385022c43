// What a disk can do beyond reads and writes: caches, discards, sizes, queues. VIRTIO 1.3, sections 5.2.3
// to 5.2.6.
#include "devices/backends/disk_threads.h"
#include "devices/virtio/block/block_config.h"
#include "devices/virtio/loop_runner.h"
#include "tests/virtio/block_rig.h"
// After ours, whose CHECK is another.
#include "tests/catch.h"

using namespace carrel;
using namespace carrel::virtio;
using namespace carrel::virtio::test;

namespace {

using Bytes = std::vector<uint8_t>;
constexpr QueueFeatures kRings{.packed = false, .event_idx = false, .indirect = true};
constexpr uint64_t kHeaderAt = BlockSide::kHeaderAt, kStatusAt = BlockSide::kStatusAt,
                   kBufferAt = BlockSide::kBufferAt;
constexpr uint64_t kTaken = kVersion1 | kIndirectDesc | kBlockFlush | kBlockConfigWce;

template <class T>
T config(Block& block, uint64_t offset) {
    T value{};
    block.read_config(offset, std::as_writable_bytes(std::span(&value, 1)));
    return value;
}
void set_write_back(Block& block, uint8_t value) {
    block.write_config(32, std::as_bytes(std::span(&value, 1)));
}
uint8_t write_back(Block& block) {
    return config<uint8_t>(block, 32);
}
DiskImage changeable(uint64_t sectors) {
    DiskImage image = make_image(sectors);
    image.path = "memfd";
    image.punches = image.zeroes = true;
    return image;
}
unsigned segments(BlockSide& side, uint32_t type, const std::vector<BlockSegment>& list, uint32_t extra = 0) {
    uint64_t at = kBufferAt;
    for (const BlockSegment& segment : list) {
        side.memory->write(Gpa{at}, segment);
        at += sizeof segment;
    }
    side.header(type, 0);
    side.driver->poke<uint8_t>(kStatusAt, 0xff);
    Buffers buffers{{kHeaderAt, 16}};
    const auto length = static_cast<uint32_t>(at - kBufferAt) + extra;
    if (length > 0) buffers.push_back({kBufferAt, length});
    buffers.push_back({kStatusAt, 1, true});
    side.driver->add(buffers);
    side.send();
    return side.status();
}

}  // namespace

TEST_CASE("disk, 5.2.5.2: a driver that took the feature switches the cache, a reset switches it back") {
    if (!uring_here()) return;
    BlockSide side(make_image(16));
    CHECK(write_back(*side.block) == 1);
    set_write_back(*side.block, 0);  // not taken
    CHECK(write_back(*side.block) == 1);
    side.block->reset();
    side.forget_rings();
    REQUIRE(side.start(kTaken) == nullptr);
    const std::array<std::byte, 8> zeros{};
    for (const uint64_t beside : {uint64_t{24}, uint64_t{33}, ~uint64_t{0}})
        side.block->write_config(beside, zeros);
    CHECK(write_back(*side.block) == 1);
    set_write_back(*side.block, 0);
    CHECK(write_back(*side.block) == 0);
    CHECK(side.request(kBlockOut, 1, 512) == kBlockOk);
    CHECK(side.request(kBlockFlushRequest, 0, 0) == kBlockOk);
    SECTION("and is restored") {
        ByteWriter writer;
        side.block->save(writer);
        const auto bytes = std::move(writer).take();
        SystemClock clock;
        const auto loop = EventLoop::create(clock).value();
        const auto throttle = no_limit(*loop);
        const auto other = Block::create(*loop, side.image, "disk", *throttle, nullptr).value();
        ByteReader reader(bytes);
        REQUIRE(other->restore(reader).ok());
        CHECK(write_back(*other) == 0);
        for (size_t length = 0; length < bytes.size(); ++length) {
            ByteReader part(std::span<const std::byte>(bytes).first(length));
            CHECK_FALSE(other->restore(part).ok());
        }
        auto wrong = bytes;
        wrong[0] = std::byte{2};
        ByteReader hostile(wrong);
        CHECK_FALSE(other->restore(hostile).ok());
    }
    side.block->write_config(30, std::vector<std::byte>(8, std::byte{1}));  // over it
    CHECK(write_back(*side.block) == 1);
    set_write_back(*side.block, 0);
    side.block->reset();
    CHECK(write_back(*side.block) == 1);
}

TEST_CASE("disk: cache=writethrough offers nothing to flush, and nothing to switch") {
    if (!uring_here()) return;
    DiskImage image = make_image(16);
    image.write_through = true;
    BlockSide side(std::move(image));
    CHECK((side.block->features() & (kBlockFlush | kBlockConfigWce)) == 0);
    CHECK(write_back(*side.block) == 0);
    side.block->reset();
    side.forget_rings();
    REQUIRE(side.start(kTaken) == nullptr);  // a driver that takes what wasn't offered
    set_write_back(*side.block, 1);
    CHECK(write_back(*side.block) == 0);
    CHECK(side.request(kBlockOut, 1, 512) == kBlockOk);
}

TEST_CASE("disk, 5.2.6: discards and zeros, segments and bounds") {
    if (!uring_here()) return;
    BlockSide side(changeable(64));
    CHECK((side.block->features() & (kBlockDiscard | kBlockWriteZeroes)) ==
          (kBlockDiscard | kBlockWriteZeroes));
    CHECK(config<uint32_t>(*side.block, 36) == kMostDiscardSectors);
    CHECK(config<uint32_t>(*side.block, 52) == kMostBlockSegments);
    const uint32_t type = GENERATE(uint32_t{kBlockDiscardRequest}, uint32_t{kBlockWriteZeroesRequest});
    const bool zeroes = type == kBlockWriteZeroesRequest;
    // memfd has no ZERO_RANGE: a driver that lets room be given up gets its zeros.
    const uint32_t flags = zeroes ? kBlockUnmap : 0;
    CHECK(segments(side, type, {{3, 2, flags}, {63, 1, flags}}) == kBlockOk);
    CHECK(side.on_disk(2) == Bytes(512, 3));
    CHECK(side.on_disk(3, 1024) == Bytes(1024, 0));
    CHECK(side.on_disk(5) == Bytes(512, 6));
    CHECK(side.on_disk(63) == Bytes(512, 0));
    const Bytes before = side.on_disk(0, 64 * 512);
    CHECK(segments(side, type, {{63, 2, flags}}) == kBlockIoError);
    CHECK(segments(side, type, {{64, 1, flags}}) == kBlockIoError);
    CHECK(segments(side, type, {{~uint64_t{0}, 2, flags}}) == kBlockIoError);
    CHECK(segments(side, type, {{1, 0xffff'ffff, flags}}) == kBlockIoError);
    CHECK(segments(side, type, {{1, 0, flags}}) == kBlockIoError);
    CHECK(segments(side, type, {{1, 1, flags}, {64, 1, flags}}) == kBlockIoError);  // or none of them
    CHECK(segments(side, type, {}) == kBlockIoError);
    CHECK(segments(side, type, {{1, 1, flags}}, 1) == kBlockIoError);
    CHECK(segments(side, type, std::vector<BlockSegment>(65, {1, 1, flags})) == kBlockIoError);
    // 5.2.6.2: unknown flags, and unmap where it is a discard.
    CHECK(segments(side, type, {{1, 1, 2 | flags}}) == kBlockUnsupported);
    if (!zeroes) CHECK(segments(side, type, {{1, 1, kBlockUnmap}}) == kBlockUnsupported);
    // Room that one of the segments doesn't let go is kept, wherever that one stands.
    if (zeroes) CHECK(segments(side, type, {{1, 1, 0}, {3, 1, flags}}) != kBlockOk);
    if (zeroes) CHECK(segments(side, type, {{3, 1, flags}, {1, 1, 0}}) != kBlockOk);
    CHECK(side.on_disk(0, 65 * 512) == before);
    CHECK(segments(side, type, std::vector<BlockSegment>(64, {1, 1, flags})) == kBlockOk);
    CHECK_FALSE(side.broken);
}

TEST_CASE("disk: what can't be discarded isn't: read-only, or a file system that refuses") {
    if (!uring_here()) return;
    DiskImage image = changeable(16);
    const bool read_only = GENERATE(false, true);
    image.read_only = read_only;
    if (!read_only) image.punches = image.zeroes = false;
    BlockSide side(std::move(image));
    CHECK((side.block->features() & (kBlockDiscard | kBlockWriteZeroes)) == 0);
    for (const uint64_t field : {36u, 40u, 48u, 52u}) CHECK(config<uint32_t>(*side.block, field) == 0);
    const Bytes before = side.on_disk(0, 16 * 512);
    CHECK(segments(side, kBlockDiscardRequest, {{3, 2, 0}}) != kBlockOk);
    CHECK(segments(side, kBlockWriteZeroesRequest, {{3, 2, 0}}) != kBlockOk);
    CHECK(side.on_disk(0, 16 * 512) == before);
}

TEST_CASE("disk, 5.2.4: the topology in blocks of what the driver is told") {
    if (!uring_here()) return;
    DiskImage image = make_image(16);
    image.physical_block = 4096;
    image.alignment_offset = 3584;
    image.least_io = 4096;
    image.best_io = 1 << 20;
    image.block_size = GENERATE(512u, 4096u);
    const uint32_t block = image.block_size;
    BlockSide side(std::move(image));
    CHECK(config<uint32_t>(*side.block, 20) == block);
    CHECK(config<uint8_t>(*side.block, 24) == (block == 512 ? 3 : 0));
    CHECK(config<uint8_t>(*side.block, 25) == 3584 / block);
    CHECK(config<uint16_t>(*side.block, 26) == 4096 / block);
    CHECK(config<uint32_t>(*side.block, 28) == (1u << 20) / block);
}

TEST_CASE("disk: a file that grows is told of, one that shrinks gives errors") {
    if (!uring_here()) return;
    BlockSide side(changeable(16));
    REQUIRE(::ftruncate(side.image.fd.get(), 32 * 512) == 0);
    CHECK(side.request(kBlockIn, 31, 512) == kBlockIoError);
    REQUIRE(carrel::test::pump_until(*side.loop, [&] { return side.config_changes == 1; }));
    CHECK(config<uint64_t>(*side.block, 0) == 32);
    CHECK(side.request(kBlockIn, 31, 512) == kBlockOk);
    REQUIRE(::ftruncate(side.image.fd.get(), 8 * 512) == 0);
    const Nanoseconds seen =
        side.clock.now() + 2500 * kMillisecond;  // (a write before that would make it long again)
    carrel::test::pump_until(*side.loop, [&] { return side.clock.now() > seen; });
    CHECK(side.request(kBlockOut, 9, 512) == kBlockIoError);
    CHECK(config<uint64_t>(*side.block, 0) == 32);
    CHECK(side.request(kBlockIn, 7, 512) == kBlockOk);
    side.block->reset();
    carrel::test::pump(*side.loop);
    CHECK(side.config_changes == 1);
}

TEST_CASE("disk: several queues, each told of what was its own") {
    if (!uring_here()) return;
    DiskImage image = make_image(64);
    image.queues = 4;
    struct Events final : DeviceEvents {
        void used(uint16_t queue) override { ++interrupts.at(queue); }
        void config_changed() override {}
        void needs_reset() override { std::abort(); }
        void again(uint16_t) override {}
        std::array<int, 4> interrupts{};
    } events;
    SystemClock clock;
    const auto loop = EventLoop::create(clock).value();
    const auto memory = make_memory();
    const auto throttle = no_limit(*loop);
    const auto block = Block::create(*loop, image, "disk", *throttle, nullptr).value();
    CHECK((block->features() & kBlockQueues) != 0);
    CHECK(block->queue_sizes().size() == 4);
    CHECK(config<uint16_t>(*block, 34) == 4);
    block->connect(*memory, events);
    const auto runner = LoopRunner::create(*loop, *block).value();
    const auto driver = make_driver(*memory, 128, kRings);
    const auto queue = static_cast<uint16_t>(GENERATE(0, 2, 3));
    std::array<QueueState, 4> states{};
    states[queue] = driver->state();
    REQUIRE(block->activate({kVersion1 | kIndirectDesc | kBlockFlush, states}) == nullptr);
    memory->write(Gpa{kHeaderAt}, BlockHeader{kBlockIn, 0, 5});
    driver->add({{kHeaderAt, 16}, {kBufferAt, 512, true}, {kStatusAt, 1, true}});
    driver->publish();
    block->notify(queue);
    REQUIRE(carrel::test::pump_until(*loop, [&] { return events.interrupts[queue] > 0; }));
    CHECK(driver->get_used().value().length == 513);
    CHECK(events.interrupts[0] + events.interrupts[1] + events.interrupts[2] + events.interrupts[3] == 1);
    block->reset();
}

TEST_CASE("disk: by threads, where there is no io_uring") {
    DiskImage image = make_image(16);
    const int file = image.fd.get();
    SystemClock clock;
    const auto loop = EventLoop::create(clock).value();
    struct Events final : DeviceEvents {
        void used(uint16_t) override {}
        void config_changed() override {}
        void needs_reset() override { std::abort(); }
        void again(uint16_t) override {}
    } events;
    auto threads = DiskThreads::create({&file, 1}, 256).value();
    auto requests = std::make_unique<DiskRequests>(image, std::move(threads), uint16_t{256});
    const auto throttle = no_limit(*loop);
    Block block(*loop, image, "disk", *throttle, nullptr, std::move(requests));
    const auto memory = make_memory();
    block.connect(*memory, events);
    const auto driver = make_driver(*memory, 128, kRings);
    const QueueState state = driver->state();
    REQUIRE(block.activate({kVersion1 | kIndirectDesc | kBlockFlush, {&state, 1}}) == nullptr);
    memory->write(Gpa{kHeaderAt}, BlockHeader{kBlockIn, 0, 5});
    driver->add({{kHeaderAt, 16}, {kBufferAt, 512, true}, {kStatusAt, 1, true}});
    driver->publish();
    block.notify(0);
    REQUIRE(block.quiesce(10 * kSecond));
    CHECK(driver->get_used().value().length == 513);
}
