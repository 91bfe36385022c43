// What a driver that keeps the rules and a device do with each other, through split and packed rings alike.
#include <algorithm>
#include <random>

#include "devices/virtio/queue/chain_io.h"
#include "devices/virtio/queue/virt_queue.h"
#include "tests/virtio/rig.h"
// After ours, whose CHECK is another.
#include "tests/catch.h"

using namespace carrel;
using namespace carrel::virtio;
using namespace carrel::virtio::test;

TEST_CASE("queue: a chain shows its buffers, and goes back with what was written") {
    Rig rig(GENERATE(kSplit, kSplitEvents, kPacked, kPackedEvents));
    CHECK(pop_words(*rig.queue).empty());
    const uint16_t id =
        rig.driver->add({{kData, 16}, {kData + 0x1000, 512, true}, {kData + 0x3000, 1, true}});
    CHECK(pop_words(*rig.queue).empty());  // not yet available
    rig.driver->publish();
    rig.driver->poke<uint64_t>(kData + 8, 0x1122334455667788);

    DescriptorChain chain = pop_chain(*rig.queue);
    CHECK(chain.head() == id);
    CHECK(chain.readable().size() == 1);
    CHECK(chain.readable_bytes() == 16);
    CHECK(chain.writable().size() == 2);
    CHECK(chain.writable_bytes() == 513);
    CHECK(chain.readable()[0][8] == std::byte{0x88});
    CHECK(chain.writable().iovecs()[1].iov_len == 1);
    chain.writable()[0][0] = std::byte{0x5a};
    CHECK(rig.queue->in_flight() == 1);
    chain.complete(513);
    rig.queue->publish();

    CHECK(rig.driver->peek<uint8_t>(kData + 0x1000) == 0x5a);
    CHECK(rig.driver->get_used() == Used{id, 513});
    CHECK_FALSE(rig.driver->get_used());
    CHECK(rig.queue->in_flight() == 0);
}

TEST_CASE("queue: chains go back in any order") {
    Rig rig(GENERATE(kSplit, kPacked));
    std::vector<uint16_t> ids;
    // 1 to 3 descriptors, 6 in all
    for (uint32_t n = 1; n <= 3; ++n)
        ids.push_back(rig.driver->add(Buffers(n, Buffer{kData, 100 * n, true})));
    rig.driver->publish();
    std::vector<DescriptorChain> chains;
    for (int i = 0; i < 3; ++i) chains.push_back(pop_chain(*rig.queue));
    CHECK(rig.queue->in_flight() == 3);
    for (const uint32_t which : {2u, 0u, 1u}) {
        chains[which].complete(which + 1);
        rig.queue->publish();
        CHECK(rig.driver->get_used() == Used{ids[which], which + 1});
    }
    CHECK_FALSE(rig.driver->get_used());
}

TEST_CASE("batches: nothing that was completed is visible before publish(), then all of it") {
    Rig rig(GENERATE(kSplit, kPacked));
    std::vector<uint16_t> ids;
    for (int i = 0; i < 4; ++i) ids.push_back(rig.driver->add({{kData, 8}, {kData + 8, 8, true}}));
    rig.driver->publish();
    for (uint32_t i = 0; i < 4; ++i) {
        pop_chain(*rig.queue).complete(i);
        CHECK_FALSE(rig.driver->get_used());
    }
    rig.queue->publish();
    for (uint32_t i = 0; i < 4; ++i) CHECK(rig.driver->get_used() == Used{ids[i], i});
    CHECK_FALSE(rig.driver->get_used());
}

TEST_CASE("queue: thousands of chains of all lengths, completed at random, over many laps of the ring") {
    const auto features = GENERATE(kSplitEvents, kPackedEvents);
    // Packed queues may have any size (2.8.10.1).
    const uint16_t size = features.packed ? GENERATE(uint16_t{1}, uint16_t{7}, uint16_t{256})
                                          : GENERATE(uint16_t{1}, uint16_t{8}, uint16_t{256});
    Rig rig(features, size);
    std::minstd_rand random(size);
    const auto below = [&](size_t n) { return static_cast<uint32_t>(random() % n); };
    std::map<uint32_t, uint32_t> expected;  // by id: bytes written
    std::vector<DescriptorChain> chains;
    size_t room = size;
    std::map<uint32_t, size_t> lengths;
    uint32_t popped = 0;
    const uint32_t enough = features.packed ? 10'000 : 70'000;  // a split ring's indices turn over at 65,536
    while (popped < enough) {
        while (room > 0 && below(4) != 0) {
            const uint32_t n = 1 + below(std::min<size_t>(room, 12));
            lengths[rig.driver->add(Buffers(n, Buffer{kData, 10, true}))] = n;
            room -= n;
        }
        rig.driver->publish();
        for (;;) {
            auto next = rig.queue->pop();
            auto* const chain = std::get_if<DescriptorChain>(&next);
            if (chain == nullptr) break;
            REQUIRE(chain->writable().size() == lengths[chain->head()]);
            chains.push_back(std::move(*chain));
            ++popped;
        }
        while (!chains.empty() && below(3) != 0) {
            std::swap(chains[below(chains.size())], chains.back());
            expected[chains.back().head()] = below(10);
            chains.back().complete(expected[chains.back().head()]);
            chains.pop_back();
        }
        rig.queue->publish();
        while (const auto used = rig.driver->get_used()) {
            REQUIRE(expected.at(used->id) == used->length);
            expected.erase(used->id);
            room += lengths[used->id];
        }
        REQUIRE(expected.empty());
    }
    for (DescriptorChain& chain : chains) chain.abandon();
}

TEST_CASE("2.7: the largest queue, full, can be served") {
    const auto features = GENERATE(kSplit, kPacked);
    Rig rig(features, 32768);
    for (int i = 0; i < 32768; ++i) rig.driver->add({{kData, 1}});
    rig.driver->publish();
    CHECK(drain(*rig.queue) == 32768);
    int back = 0;
    while (rig.driver->get_used()) ++back;
    CHECK(back == 32768);
}

TEST_CASE("2.7.5.3, 2.8.7: an indirect table as long as the queue") {
    Rig rig(GENERATE(kSplitEvents, kPackedEvents), 64);
    Buffers buffers;
    for (uint32_t i = 0; i < 64; ++i) buffers.push_back({kData + 0x100 * i, i + 1, i >= 30});
    // 2.7.5.3.2, 2.8.7: the write flag of the descriptor of a table means nothing.
    const unsigned flags = GENERATE(0u, unsigned{kWrite});
    const uint16_t id = rig.driver->add_indirect(buffers, kTables + 8, flags);  // any alignment
    rig.driver->publish();
    DescriptorChain chain = pop_chain(*rig.queue);
    CHECK(chain.readable().size() == 30);
    CHECK(chain.writable().size() == 34);
    CHECK(chain.readable_bytes() == 30 * 31 / 2);
    CHECK(chain.writable()[33].size() == 64);
    CHECK(chain.writable()[33].data() == rig.memory->slice(Gpa{kData + 0x100 * 63}, 64)->data());
    chain.complete(7);
    rig.queue->publish();
    CHECK(rig.driver->get_used() == Used{id, 7});
}

TEST_CASE("2.7.5.3.2: direct descriptors followed by a table") {
    Rig rig(kSplitEvents);
    SplitDriver& driver = rig.split();
    driver.set_descriptor(kDescriptors, 5, {kData, 16, kNext, 2});
    driver.set_descriptor(kDescriptors, 2, {kTables, 32, kIndirect, 0});
    driver.set_descriptor(kTables, 0, {kData + 0x100, 4, kNext, 1});
    driver.set_descriptor(kTables, 1, {kData + 0x200, 5, kWrite, 0});
    driver.offer(5);
    driver.publish();
    DescriptorChain chain = pop_chain(*rig.queue);
    CHECK(chain.head() == 5);
    CHECK(chain.readable_bytes() == 20);
    CHECK(chain.writable_bytes() == 5);
    chain.complete(5);
}

TEST_CASE("queue: when long chains hold all room, the next one waits, and comes when one has ended") {
    Rig rig(GENERATE(kSplitEvents, kPackedEvents), 1024);
    const Buffers buffers(1024, Buffer{kData, 1, true});
    for (int i = 0; i < 9; ++i) rig.driver->add_indirect(buffers, kTables);
    rig.driver->publish();
    std::vector<DescriptorChain> chains;
    for (int i = 0; i < 8; ++i) chains.push_back(pop_chain(*rig.queue));
    CHECK(pop_words(*rig.queue) == "busy");
    CHECK(pop_words(*rig.queue) == "busy");  // it isn't lost
    chains[3].complete(0);
    DescriptorChain ninth = pop_chain(*rig.queue);
    CHECK(ninth.writable().size() == 1024);
    ninth.complete(0);
    CHECK(pop_words(*rig.queue).empty());
    for (size_t i = 0; i < chains.size(); ++i)
        if (i != 3) chains[i].complete(0);
}
