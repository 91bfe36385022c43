// Drivers that give few receive buffers, give them late, or never all that they could: frames come all the
// same. Where 64 KiB may come at once, a device that waits for room for the largest would wait for ever.
#include "tests/virtio/net_rig.h"
// After ours, whose CHECK is another.
#include "tests/catch.h"

using namespace carrel;
using namespace carrel::virtio;
using namespace carrel::virtio::test;

namespace {

// A driver that has `buffers` out at most, each of `pieces` descriptors, and gives more when fewer than half
// are left: Linux's way (its receive ring is filled up when less than half is).
class LazyDriver {
  public:
    LazyDriver(NetSide& side, unsigned buffers, unsigned pieces, uint32_t length)
        : side_(side), most_(buffers), pieces_(pieces), length_(length) {
        refill();
    }
    // One small frame comes, and the driver sees it.
    bool gets_one(uint8_t seed) {
        side_.backend.offer(make_frame(60, seed));
        side_.backend.loop();
        const bool got = take() == 1;
        if (2 * out_ < most_) refill();
        side_.backend.loop();  // what waited for the refill
        return got || take() == 1;
    }
    // How many buffers have come back.
    unsigned take() {
        unsigned count = 0;
        while (side_.on(0).get_used()) ++count;
        out_ -= count;
        return count;
    }
    void refill() {
        for (; out_ < most_; ++out_) {
            const uint64_t at = NetSide::kReceiveAt + given_++ % 64 * 0x4000;
            Buffers chain;
            for (unsigned i = 0; i < pieces_; ++i)
                chain.push_back({at + i * length_ / pieces_, length_ / pieces_, true});
            side_.on(0).add(chain);
        }
        side_.kick(0);
    }
    unsigned out() const { return out_; }

  private:
    NetSide& side_;
    const unsigned most_, pieces_;
    const uint32_t length_;
    unsigned out_ = 0;
    uint64_t given_ = 0;
};

struct Habit {
    unsigned buffers, pieces;
    uint32_t length;
};

}  // namespace

TEST_CASE("net: a driver with few buffers, or with several descriptors in each, gets every frame") {
    const auto [buffers, pieces, length] = GENERATE(Habit{64, 1, 1536},  // less than 64 KiB before its half
                                                    Habit{32, 2, 1536},  // a full ring, never 64 KiB
                                                    Habit{32, 2, 4096},  // a full ring, and more than that
                                                    Habit{10, 1, 1536},  // a ring that is never full
                                                    Habit{45, 1, 1536},  // just 64 KiB, in such a ring
                                                    Habit{1, 1, 1536});
    NetSide side(kAll, 1, GENERATE(false, true));
    LazyDriver driver(side, buffers, pieces, length);
    for (unsigned frame = 0; frame < 300; ++frame) {
        INFO(buffers << " buffers, frame " << frame << ", " << driver.out() << " out");
        REQUIRE(driver.gets_one(static_cast<uint8_t>(frame)));
    }
    CHECK(side.net->counters().received == 300);
    CHECK_FALSE(side.broken);
}

TEST_CASE("net: a burst of large frames waits for the driver, and none is lost") {
    NetSide side(kAll, 1, GENERATE(false, true));
    LazyDriver driver(side, 64, 1, 4096);
    for (unsigned frame = 0; frame < 40; ++frame) side.backend.offer(make_frame(65000));
    for (unsigned round = 0; round < 40 && side.net->counters().received < 40; ++round) {
        side.backend.loop();
        driver.take();
        driver.refill();
    }
    CHECK(side.net->counters().received == 40);
    CHECK(side.net->counters().too_long == 0);
}

TEST_CASE("net: a frame for which a driver never gives room is dropped, and the next one comes") {
    NetSide side(kAll, 1, GENERATE(false, true));
    LazyDriver driver(side, 10, 1, 1536);
    side.backend.offer(make_frame(65000));
    side.backend.loop();
    CHECK(side.net->counters().too_long == 1);
    CHECK(driver.gets_one(1));
}
