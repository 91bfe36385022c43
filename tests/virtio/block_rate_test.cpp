// A disk with a rate limit: what passes in a second, in a time of the test's own, and by the wall clock on
// threads of their own.
#include <array>
#include <atomic>
#include <iostream>
#include <numeric>
#include <thread>

#include "devices/virtio/loop_runner.h"
#include "devices/virtio/thread_runner.h"
#include "tests/virtio/block_rig.h"
// After ours, whose CHECK is another.
#include "tests/catch.h"

using namespace carrel;
using namespace carrel::virtio;
using namespace carrel::virtio::test;

namespace {

constexpr uint64_t kHeaderAt = BlockSide::kHeaderAt, kStatusAt = BlockSide::kStatusAt,
                   kBufferAt = BlockSide::kBufferAt;
constexpr uint64_t kFeatures = kVersion1 | kIndirectDesc | kBlockFlush;

// A disk in memory, whose requests have ended when notify() returns, behind as many queues as are said. Its
// driver has kDepth requests in each at any time.
class LimitedDisk final : private DeviceEvents {
  public:
    static constexpr unsigned kDepth = 20;
    enum class On { kLoop, kThread };

    LimitedDisk(const Clock& clock, const RateConfig& rate, uint16_t queues = 1, On on = On::kLoop)
        : loop(EventLoop::create(clock).value()), throttle(Throttle::create(*loop, rate).value()), on_(on) {
        image.in_memory = true;
        image.queues = queues;
        done.resize(queues);
        for (uint16_t i = 0; i < queues; ++i)
            drivers_.push_back(make_driver(
                *memory, 64, {.packed = false, .event_idx = false, .indirect = true}, i * uint64_t{0x1000}));
        make_device();
        start();
    }
    ~LimitedDisk() override { runner_.reset(); }

    void make_device() {
        auto fresh = Block::create(*loop, image, "disk", *throttle, nullptr).value();
        block = std::move(fresh);  // the new one attaches before the old one goes
        block->connect(*memory, *this);
        if (on_ == On::kLoop)
            runner_ = LoopRunner::create(*loop, *block).value();
        else
            runner_ = ThreadRunner::start("disk-0", *block).value();
    }
    void start() {
        std::vector<QueueState> states;
        for (const auto& driver : drivers_) states.push_back(driver->state());
        if (block->activate({kFeatures, states}) != nullptr) std::abort();
    }
    // As a rebuild of the machine does it.
    void rebuild() {
        if (!block->quiesce(kSecond)) std::abort();
        const auto states = block->queue_states();
        runner_.reset();
        make_device();
        if (block->activate({kFeatures, states}) != nullptr) std::abort();
    }
    // What each request is; `length` bytes.
    void requests_are(uint32_t type, uint32_t length) {
        memory->write(Gpa{kHeaderAt}, BlockHeader{type, 0, 0});
        buffers_ = {{kHeaderAt, 16}};
        if (length != 0) buffers_.push_back({kBufferAt, length, type == kBlockIn});
        buffers_.push_back({kStatusAt, 1, true});
    }
    // Takes what has ended, and asks for as much again.
    void drive() {
        for (size_t i = 0; i < drivers_.size(); ++i) {
            while (drivers_[i]->get_used()) {
                ++done[i];
                --out_[i];
            }
            const bool any = out_[i] < kDepth;
            for (; out_[i] < kDepth; ++out_[i]) drivers_[i]->add(buffers_);
            drivers_[i]->publish();
            if (any) runner_->ring(static_cast<uint16_t>(i));
        }
    }
    uint64_t all_done() const { return std::accumulate(done.begin(), done.end(), uint64_t{0}); }
    // How many requests end within `time`, a millisecond at a time.
    uint64_t pass(ManualClock& clock, Nanoseconds time) {
        const uint64_t before = all_done();
        for (Nanoseconds passed = 0; passed < time; passed += kMillisecond) {
            clock.advance(kMillisecond);
            carrel::test::pump(*loop, 4);
            drive();
        }
        return all_done() - before;
    }

    std::unique_ptr<EventLoop> loop;
    std::unique_ptr<GuestMemory> memory = make_memory();
    DiskImage image = make_image(4096);
    std::unique_ptr<Throttle> throttle;
    std::unique_ptr<Block> block;
    std::vector<uint64_t> done;

  private:
    void used(uint16_t) override {}
    void config_changed() override {}
    void needs_reset() override { std::abort(); }
    void again(uint16_t queue) override { runner_->ring(queue); }

    const On on_;
    std::vector<std::unique_ptr<Driver>> drivers_;
    std::array<unsigned, 16> out_{};
    Buffers buffers_;
    std::unique_ptr<DeviceRunner> runner_;
};

void close_to(uint64_t got, uint64_t wanted, uint64_t slack) {
    INFO(got << " of " << wanted);
    CHECK(got + slack >= wanted);
    CHECK(got <= wanted + slack);
}

}  // namespace

TEST_CASE("disk's limit: bytes of a second within 2 %, whatever the size of a request") {
    const uint32_t size = GENERATE(512u, 4096u, 65536u, 1u << 20);
    const uint32_t type = GENERATE(uint32_t{kBlockIn}, uint32_t{kBlockOut});
    const uint64_t rate = size < 65536 ? 8 * kMiB : 128 * kMiB;
    ManualClock clock;
    LimitedDisk disk(clock, {.bytes = rate, .operations = 0, .burst = {}});
    disk.requests_are(type, size);
    const uint64_t wanted = rate / size;
    disk.drive();
    // The first one with the burst, the others without: whole requests, and a millisecond's.
    close_to(disk.pass(clock, kSecond), wanted, wanted / 50 + 1);
    close_to(disk.pass(clock, kSecond), wanted, wanted / 500 + 1);
    close_to(disk.pass(clock, kSecond), wanted, wanted / 500 + 1);
}

TEST_CASE("disk's limit: operations of a second within 2 %, flushes among them") {
    const uint32_t type = GENERATE(uint32_t{kBlockIn}, uint32_t{kBlockFlushRequest});
    const uint64_t rate = GENERATE(uint64_t{100}, uint64_t{2500});
    ManualClock clock;
    LimitedDisk disk(clock, {.bytes = 0, .operations = rate, .burst = {}});
    disk.requests_are(type, type == kBlockIn ? 512 : 0);
    disk.drive();
    close_to(disk.pass(clock, kSecond), rate, rate / 50);
    close_to(disk.pass(clock, kSecond), rate, rate / 500 + 1);
}

TEST_CASE("disk's limit: its queues get equal parts, and none is forgotten") {
    // One request a turn, or some for one queue, or some for each.
    const uint64_t rate = GENERATE(uint64_t{100}, uint64_t{400}, uint64_t{8000});
    ManualClock clock;
    LimitedDisk disk(clock, {.bytes = 0, .operations = rate, .burst = {}}, 4);
    disk.requests_are(kBlockIn, 512);
    disk.drive();
    disk.pass(clock, 4 * kSecond);
    for (const uint64_t queue : disk.done) close_to(queue, rate, rate / 10);
}

TEST_CASE("disk's limit: what waits stays in its ring, and the device stops, restarts and moves meanwhile") {
    ManualClock clock;
    LimitedDisk disk(clock, {.bytes = 0, .operations = 10, .burst = {}});
    disk.requests_are(kBlockIn, 512);
    disk.drive();
    disk.pass(clock, kSecond);
    const uint64_t before = disk.all_done();
    SECTION("a quiesce waits for nothing, and nothing happens until it ends") {
        CHECK(disk.block->quiesce(0));
        CHECK(disk.pass(clock, kSecond) == 0);
        disk.block->resume();
        close_to(disk.pass(clock, kSecond), 10, 1);
    }
    SECTION("a reset doesn't either") {
        disk.block->reset();
        CHECK(disk.pass(clock, kSecond) == 0);
    }
    SECTION("a machine that is rebuilt all the time goes on at the same rate") {
        for (int i = 0; i < 1000; ++i) {
            disk.rebuild();
            disk.pass(clock, kMillisecond);
        }
        close_to(disk.all_done() - before, 10, 1);
    }
}

TEST_CASE("disk's limit: it changes while requests wait") {
    ManualClock clock;
    LimitedDisk disk(clock, {.bytes = 1, .operations = 0, .burst = {}});
    disk.requests_are(kBlockIn, 4096);
    disk.drive();
    close_to(disk.pass(clock, kSecond), 1, 0);  // and now it waits for an hour
    disk.throttle->change({.bytes = 0, .operations = 200, .burst = {}});
    close_to(disk.pass(clock, kSecond), 200, 4);
    disk.throttle->change({.bytes = 0, .operations = 400, .burst = {}});
    close_to(disk.pass(clock, kSecond), 400, 8);
    disk.throttle->change({});
    CHECK(disk.pass(clock, kSecond) >= 1000 * LimitedDisk::kDepth);
    disk.throttle->change({.bytes = 4096 * 300, .operations = 0, .burst = {}});
    close_to(disk.pass(clock, kSecond), 300, 6);
}

TEST_CASE("disk's limit: a discard is an operation, but moves no bytes") {
    if (!uring_here()) return;
    DiskImage image = make_image(64);
    image.punches = true;
    BlockSide side(std::move(image));
    side.throttle->change({.bytes = 1000, .operations = 0, .burst = {}});
    side.memory->write(Gpa{kBufferAt}, BlockSegment{0, 64, 0});
    REQUIRE(side.request(kBlockDiscardRequest, 0, sizeof(BlockSegment)) == kBlockOk);
    CHECK(side.throttle->open());
    side.throttle->change({.bytes = 0, .operations = 1, .burst = {}});
    side.memory->write(Gpa{kBufferAt}, BlockSegment{0, 64, 0});
    REQUIRE(side.request(kBlockDiscardRequest, 0, sizeof(BlockSegment)) == kBlockOk);
    CHECK_FALSE(side.throttle->open());
}

TEST_CASE("disk's limit: by the wall clock, on a thread of its own, changed by another") {
    constexpr uint64_t kRate = 20'000;
    SystemClock clock;
    LimitedDisk disk(clock, {.bytes = 0, .operations = 1, .burst = {}}, 2, LimitedDisk::On::kThread);
    disk.requests_are(kBlockIn, 512);
    std::thread io([&] { disk.loop->run(); });
    disk.drive();
    const Nanoseconds start = clock.now();
    disk.throttle->change({.bytes = 0, .operations = kRate, .burst = {}});
    Nanoseconds end = start;
    for (; end < start + kSecond; end = clock.now()) {
        disk.drive();
        const timespec pause{0, 100'000};
        ::nanosleep(&pause, nullptr);
    }
    const uint64_t done = disk.all_done();
    const auto time = static_cast<uint64_t>(clock.now() - start);
    const uint64_t wanted = kRate * time / static_cast<uint64_t>(kSecond);
    std::cout << "wall clock: " << done << " of " << wanted << " operations\n";
    CHECK(done <= wanted + kRate / 100 + 2);  // never more
    CHECK(done >= wanted / 2);                // less only where the host gives us no time
    for (const uint64_t queue : disk.done) CHECK(queue >= done / 4);
    disk.throttle->change({.bytes = 0, .operations = 1, .burst = {}});  // it ends while it waits
    disk.drive();
    disk.loop->stop();
    io.join();
}
