// Who tells whom of progress, and who needn't: 2.7.7, 2.7.10 and 2.8.10.
#include "devices/virtio/queue/virt_queue.h"
#include "tests/virtio/rig.h"
// After ours, whose CHECK is another.
#include "tests/catch.h"

using namespace carrel;
using namespace carrel::virtio;
using namespace carrel::virtio::test;

namespace {

// `chains` of one descriptor each, through the queue in one batch; whether the driver gets an interrupt.
bool batch(Rig& rig, int chains) {
    for (int i = 0; i < chains; ++i) rig.driver->add({{kData, 8}});
    rig.driver->publish();
    REQUIRE(drain(*rig.queue) == chains);
    return rig.queue->should_interrupt();
}
void collect(Rig& rig) {
    while (rig.driver->get_used()) continue;
}
bool announces_one(Rig& rig) {
    rig.driver->add({{kData, 8}});
    return rig.driver->publish();
}

}  // namespace

TEST_CASE("2.7.7.2, 2.8.10: without event indices the driver's flags decide") {
    Rig rig(GENERATE(kSplit, kPacked));
    CHECK(batch(rig, 1));
    CHECK_FALSE(rig.queue->should_interrupt());  // once
    rig.driver->set_interrupts(false);
    CHECK_FALSE(batch(rig, 3));
    collect(rig);
    rig.driver->set_interrupts(true);
    CHECK(batch(rig, 3));
    rig.queue->publish();  // nothing new: no interrupt
    CHECK_FALSE(rig.queue->should_interrupt());
}

TEST_CASE("2.7.7.2, 2.8.10: with event indices, an interrupt when a batch passes the event, and only then") {
    Rig rig(GENERATE(kSplitEvents, kPackedEvents));
    for (int lap = 0; lap < 20; ++lap) {
        collect(rig);
        rig.driver->interrupt_after(3);  // the fourth
        CHECK_FALSE(batch(rig, 2));      // 1, 2
        CHECK_FALSE(batch(rig, 1));      // 3
        CHECK(batch(rig, 3));            // 4 to 6
        CHECK_FALSE(batch(rig, 1));      // 7: past it
        collect(rig);
        rig.driver->interrupt_after(0);
        CHECK(batch(rig, 1));
        collect(rig);
        rig.driver->interrupt_after(7);
        CHECK_FALSE(batch(rig, 7));
        CHECK(batch(rig, 1));
    }
}

TEST_CASE("2.7.7.2: an event index that was passed long ago counts again only after 65,536") {
    Rig rig(kSplitEvents);
    rig.driver->interrupt_after(0);
    CHECK(batch(rig, 1));
    int interrupts = 0;
    for (int i = 0; i < 65'535; ++i) {
        collect(rig);
        interrupts += batch(rig, 1) ? 1 : 0;
    }
    CHECK(interrupts == 0);
    collect(rig);
    CHECK(batch(rig, 1));
}

TEST_CASE("2.8.10: an event inside a chain of many descriptors counts when the chain goes back") {
    Rig rig(kPackedEvents);
    rig.driver->interrupt_after(2);
    rig.driver->add({{kData, 8}, {kData, 8}, {kData, 8}});
    rig.driver->publish();
    CHECK(drain(*rig.queue) == 1);
    CHECK(rig.queue->should_interrupt());
}

TEST_CASE("several publishes before should_interrupt() is asked are one answer") {
    Rig rig(GENERATE(kSplitEvents, kPackedEvents));
    rig.driver->interrupt_after(0);
    for (int i = 0; i < 3; ++i) {
        rig.driver->add({{kData, 8}});
        rig.driver->publish();
        CHECK(drain(*rig.queue) == 1);  // publishes, too
    }
    CHECK(rig.queue->should_interrupt());
    CHECK_FALSE(rig.queue->should_interrupt());
}

TEST_CASE("2.7.7.2: what wasn't negotiated isn't looked at") {
    SECTION("the event without event indices") {
        Rig rig(kSplit);
        rig.driver->interrupt_after(5);
        CHECK(batch(rig, 1));
    }
    SECTION("the flag with event indices") {
        Rig rig(kSplitEvents);
        rig.driver->set_interrupts(false);
        rig.driver->interrupt_after(0);
        CHECK(batch(rig, 1));
    }
}

TEST_CASE("2.8.10: where the driver's wish makes no sense, it gets its interrupt") {
    const auto [features, flags, position] =
        GENERATE(std::tuple{kPacked, unsigned{kEventAtDescriptor}, 5u},        // not negotiated
                 std::tuple{kPackedEvents, unsigned{kEventFlags}, 5u},         // reserved
                 std::tuple{kPackedEvents, unsigned{kEventAtDescriptor}, 8u},  // not in the ring
                 std::tuple{kPackedEvents, 0xfffcu | kEventsOn, 5u});          // reserved bits
    Rig rig(features);
    rig.driver->poke<uint32_t>(kDriverArea, flags << 16 | position);
    CHECK(batch(rig, 1));
}

TEST_CASE("2.7.10, 2.8.10: the driver announces chains while we want to be told") {
    Rig rig(GENERATE(kSplit, kSplitEvents, kPacked, kPackedEvents));
    CHECK(announces_one(rig));  // from the start
    rig.queue->disable_notifications();
    CHECK_FALSE(announces_one(rig));
    CHECK_FALSE(announces_one(rig));
    // 2.7.13.4, 2.8.21.2: what came meanwhile wasn't announced, so enabling tells of it.
    CHECK(rig.queue->enable_notifications());
    CHECK(drain(*rig.queue) == 3);
    CHECK_FALSE(rig.queue->enable_notifications());
    for (int i = 0; i < 40; ++i) {
        CHECK(announces_one(rig));
        CHECK(drain(*rig.queue) == 1);
        collect(rig);
        CHECK_FALSE(rig.queue->enable_notifications());
    }
}

TEST_CASE("2.7.10.2: with event indices the used ring's flags stay 0") {
    Rig rig(kSplitEvents);
    rig.queue->disable_notifications();
    CHECK(rig.driver->peek<uint16_t>(kDeviceArea + kRingFlags) == 0);
    rig.queue->enable_notifications();
    CHECK(rig.driver->peek<uint16_t>(kDeviceArea + kRingFlags) == 0);
}

TEST_CASE("opening a queue says at once that we want to be told, whatever was in memory") {
    const auto features = GENERATE(kSplit, kSplitEvents, kPacked, kPackedEvents);
    const auto memory = make_memory();
    const auto driver = make_driver(*memory, 8, features);
    driver->poke<uint32_t>(kDeviceArea, features.packed ? 0x1'0000u : 1u);
    driver->poke<uint16_t>(kDeviceArea + kRingEntries + 64, 0x1234);
    const auto queue = open_queue(*memory, driver->state(), features);
    driver->add({{kData, 8}});
    CHECK(driver->publish());
    CHECK(drain(*queue) == 1);
}
