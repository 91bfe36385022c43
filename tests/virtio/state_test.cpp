// What a queue is opened from: areas and sizes as the driver gave them, and saved bytes.
#include <array>

#include "devices/virtio/queue/virt_queue.h"
#include "tests/devices/fakes.h"
#include "tests/virtio/rig.h"
// After ours, whose CHECK is another.
#include "tests/catch.h"

using namespace carrel;
using namespace carrel::virtio;
using namespace carrel::virtio::test;

namespace {

std::string open_words(const QueueState& state, const QueueFeatures& features) {
    const auto memory = make_memory();
    const auto opened = VirtQueue::open(*memory, state, features);
    const auto* const error = std::get_if<QueueError>(&opened);
    return error != nullptr ? error->reason : "";
}
QueueState at(uint64_t descriptors, uint64_t driver, uint64_t device, uint16_t size = 8) {
    QueueState state;
    state.size = size;
    state.ready = true;
    state.descriptor_area = Gpa{descriptors};
    state.driver_area = Gpa{driver};
    state.device_area = Gpa{device};
    return state;
}
std::vector<std::byte> bytes_of(const QueueState& state) {
    ByteWriter writer;
    state.save(writer);
    return std::move(writer).take();
}
std::optional<QueueState> state_of(std::span<const std::byte> bytes, const QueueFeatures& features,
                                   uint16_t max_size = 256) {
    ByteReader reader(bytes);
    return QueueState::restore(reader, features, max_size);
}

}  // namespace

TEST_CASE("2.7: the areas of a split ring are aligned to 16, 2 and 4") {
    CHECK(open_words(at(0x1010, 0x2002, 0x3004), kSplit).empty());
    CHECK(open_words(at(0x1008, 0x2002, 0x3004), kSplit) ==
          "the descriptor table isn't RAM, or not aligned to 16");
    CHECK(open_words(at(0x1010, 0x2001, 0x3004), kSplit) ==
          "the available ring isn't RAM, or not aligned to 2");
    CHECK(open_words(at(0x1010, 0x2002, 0x3002), kSplit) == "the used ring isn't RAM, or not aligned to 4");
}

TEST_CASE("2.7: the areas of a split ring are wholly in RAM, and may end at its very top") {
    CHECK(open_words(at(kLowEnd - 128, kHighEnd - 22, kHigh), kSplit).empty());
    CHECK(open_words(at(kLowEnd, 0, 0x3000), kSplit) ==
          "the descriptor table isn't RAM, or not aligned to 16");
    CHECK(open_words(at(kLowEnd - 112, 0, 0x3000), kSplit) ==
          "the descriptor table isn't RAM, or not aligned to 16");
    CHECK(open_words(at(0, kHighEnd - 20, 0x3000), kSplit) ==
          "the available ring isn't RAM, or not aligned to 2");
    CHECK(open_words(at(0, 0x3000, kHighEnd - 68), kSplit) == "the used ring isn't RAM, or not aligned to 4");
    CHECK(open_words(at(~uint64_t{0} - 15, 0, 0x3000), kSplit) ==
          "the descriptor table isn't RAM, or not aligned to 16");
}

TEST_CASE("2.8.10.1: the areas of a packed ring are aligned to 16, 4 and 4, and wholly in RAM") {
    CHECK(open_words(at(kLowEnd - 128, kHighEnd - 4, 0x3004), kPacked).empty());
    CHECK(open_words(at(0x1008, 0x2004, 0x3004), kPacked) ==
          "the descriptor ring isn't RAM, or not aligned to 16");
    CHECK(open_words(at(kLowEnd - 112, 0x2004, 0x3004), kPacked) ==
          "the descriptor ring isn't RAM, or not aligned to 16");
    CHECK(open_words(at(0, kHighEnd, 0x3004), kPacked) ==
          "the driver's event suppression isn't RAM, or not aligned to 4");
    CHECK(open_words(at(0, 0x2002, 0x3004), kPacked) ==
          "the driver's event suppression isn't RAM, or not aligned to 4");
    CHECK(open_words(at(0, 0x2004, 0x3006), kPacked) ==
          "the device's event suppression isn't RAM, or not aligned to 4");
}

TEST_CASE("2.7, 2.8: a split queue's size is a power of two, a packed one's any up to 32768") {
    for (const bool packed : {false, true}) {
        for (const unsigned size : {1u, 2u, 256u, 32768u}) CHECK(QueueState::valid_size(size, packed));
        for (const unsigned size : {0u, 32769u, 65535u, 65536u})
            CHECK_FALSE(QueueState::valid_size(size, packed));
        for (const unsigned size : {3u, 255u, 32767u}) CHECK(QueueState::valid_size(size, packed) == packed);
    }
    const std::string words = "the queue's size is 0, too large, or no power of two";
    CHECK(open_words(at(0, 0x2000, 0x3000, 0), kSplit) == words);
    CHECK(open_words(at(0, 0x2000, 0x3000, 3), kSplit) == words);
    CHECK(open_words(at(0, 0x2000, 0x3000, 3), kPacked).empty());
    CHECK(open_words(at(0, 0x2000, 0x3000, 40000), kPacked) == words);
}

TEST_CASE("queue: saved and restored in the middle of traffic, the driver notices nothing") {
    const auto features = GENERATE(kSplit, kSplitEvents, kPacked, kPackedEvents);
    const uint16_t size = features.packed ? uint16_t{7} : uint16_t{8};
    Rig rig(features, size);
    if (features.event_idx) rig.driver->interrupt_after(0);
    for (uint32_t round = 0; round < 30; ++round) {
        // Saved with chains that are available and not yet taken, and with an interrupt that is still owed.
        std::vector<uint16_t> ids;
        for (uint32_t i = 0; i < 3; ++i) ids.push_back(rig.driver->add({{kData, 8}, {kData, 8, true}}));
        CHECK(rig.driver->publish());
        pop_chain(*rig.queue).complete(round % 8);
        rig.queue->publish();
        const QueueState before = rig.queue->state();
        REQUIRE(before.interrupt_due);
        REQUIRE(rig.reopen());
        CHECK(rig.queue->state() == before);
        CHECK(rig.queue->should_interrupt());
        CHECK(rig.driver->get_used() == Used{ids[0], round % 8});
        CHECK(drain(*rig.queue) == 2);
        CHECK(rig.driver->get_used() == Used{ids[1], 0});
        CHECK(rig.driver->get_used() == Used{ids[2], 0});
        CHECK_FALSE(rig.queue->enable_notifications());
        if (features.event_idx) rig.driver->interrupt_after(0);
        rig.queue->should_interrupt();
    }
}

TEST_CASE("queue: notifications that were off stay off over a restore") {
    Rig rig(GENERATE(kSplit, kPackedEvents));
    rig.queue->disable_notifications();
    REQUIRE(rig.reopen());
    rig.driver->add({{kData, 8}});
    CHECK_FALSE(rig.driver->publish());
    CHECK(drain(*rig.queue) == 1);
}

TEST_CASE("queue: what was broken stays broken over a restore") {
    Rig rig(GENERATE(kSplit, kPacked));
    if (rig.driver->features().packed) {
        rig.packed().add_raw({{kData, 8, 0, kNext}});
    } else {
        rig.split().offer(99);
    }
    rig.driver->publish();
    CHECK(pop_words(*rig.queue).starts_with("broken"));
    REQUIRE(rig.reopen());
    CHECK(pop_words(*rig.queue) == "broken: the queue was broken when it was saved");
}

TEST_CASE("queue: after a reset a queue that was broken works again") {
    const auto features = GENERATE(kSplit, kPackedEvents);
    const auto memory = make_memory();
    {
        const auto driver = make_driver(*memory, 8, features);
        const auto queue = open_queue(*memory, driver->state(), features);
        if (features.packed) {
            for (int i = 0; i < 8; ++i) driver->add({{kData, 8}});
            driver->poke<uint16_t>(kDescriptors + 14, kAvailable | kNext);
            driver->poke<uint16_t>(kDescriptors + 30, 0);
        } else {
            driver->poke<uint16_t>(kDriverArea + kRingIndex, uint16_t{99});
        }
        CHECK(pop_words(*queue).starts_with("broken"));
    }
    // 2.7.10.1, 2.8.13: a driver begins with rings of zeros.
    for (const uint64_t area : {kDescriptors, kDriverArea, kDeviceArea})
        memory->write(Gpa{area}, std::array<uint64_t, 32>{});
    const auto driver = make_driver(*memory, 8, features);
    const auto queue = open_queue(*memory, driver->state(), features);
    const uint16_t id = driver->add({{kData, 8}});
    CHECK(driver->publish());
    CHECK(drain(*queue) == 1);
    CHECK(queue->should_interrupt());
    CHECK(driver->get_used() == Used{id, 0});
}

TEST_CASE("queue: damaged bytes are refused") {
    const auto features = GENERATE(kSplit, kPacked);
    const auto good = bytes_of(at(0x1000, 0x2000, 0x3000));
    REQUIRE(state_of(good, features) == at(0x1000, 0x2000, 0x3000));
    CHECK_FALSE(state_of(good, features, 4));  // larger than the device has
    carrel::test::for_each_damage(
        good, [&](std::span<const std::byte> bytes) { CHECK_FALSE(state_of(bytes, features)); });
    for (size_t flag = good.size() - 6; flag < good.size(); ++flag) {
        auto bytes = good;
        bytes[flag] = std::byte{2};
        CHECK_FALSE(state_of(bytes, features));
    }
}

TEST_CASE("queue: bytes that describe no possible queue are refused") {
    const auto possible = [](const QueueState& state, const QueueFeatures& features) {
        return state_of(bytes_of(state), features).has_value();
    };
    QueueState state = at(0x1000, 0x2000, 0x3000);
    state.next_avail = state.next_used = 0xfff0;
    CHECK(possible(state, kSplit));
    CHECK_FALSE(possible(state, kPacked));  // beyond the ring
    state.next_avail = 0xfff1;
    CHECK_FALSE(possible(state, kSplit));  // something in flight
    state = at(0x1000, 0x2000, 0x3000);
    state.avail_wrap = state.used_wrap = false;
    CHECK(possible(state, kPacked));
    CHECK_FALSE(possible(state, kSplit));  // no such thing there
    state.used_wrap = true;
    CHECK_FALSE(possible(state, kPacked));
    CHECK_FALSE(possible(at(0x1000, 0x2000, 0x3000, 0), kSplit));
    CHECK_FALSE(possible(at(0x1000, 0x2000, 0x3000, 6), kSplit));
    CHECK(possible(at(0x1000, 0x2000, 0x3000, 6), kPacked));
    // A queue that isn't enabled may have any address and size, and nothing else.
    state = at(1, 2, 3, 6);
    state.ready = false;
    CHECK(possible(state, kSplit));
    state.next_avail = state.next_used = 1;
    CHECK_FALSE(possible(state, kSplit));
}
