// Every rule that a driver can break in a packed ring, as malformed_split_test.cpp does it for split ones.
#include "devices/virtio/queue/virt_queue.h"
#include "tests/virtio/rig.h"
// After ours, whose CHECK is another.
#include "tests/catch.h"

using namespace carrel;
using namespace carrel::virtio;
using namespace carrel::virtio::test;

namespace {

std::string pop_of(Rig& rig, const std::vector<PackedDescriptor>& descriptors) {
    rig.packed().add_raw(descriptors);
    rig.packed().publish();
    return pop_words(*rig.queue);
}
std::string pop_of_table(Rig& rig, const Buffers& buffers, unsigned flags = 0) {
    rig.packed().add_indirect(buffers, kTables, flags);
    rig.packed().publish();
    return pop_words(*rig.queue);
}

}  // namespace

TEST_CASE(
    "packed, rule 4: a malformed chain goes back with its id and length 0, and the queue goes on behind it") {
    Rig rig(kPacked);
    const uint16_t bad = rig.driver->add({{kData, 1}, {kLowEnd, 1}, {kData, 1}});
    const uint16_t good = rig.driver->add({{kData, 2, true}});
    rig.driver->publish();
    CHECK(pop_words(*rig.queue) == "malformed: a descriptor's buffer isn't wholly inside one range of RAM");
    CHECK_FALSE(rig.driver->get_used());
    pop_chain(*rig.queue).complete(2);
    rig.queue->publish();
    CHECK(rig.driver->get_used() == Used{bad, 0});
    CHECK(rig.driver->get_used() == Used{good, 2});
    CHECK_FALSE(rig.driver->get_used());
}

TEST_CASE("packed, rule 2: whole ranges are checked; the very top of RAM is legal and one byte more is not") {
    Rig rig(kPacked);
    const std::string not_ram = "malformed: a descriptor's buffer isn't wholly inside one range of RAM";
    const uint16_t write = GENERATE(uint16_t{0}, uint16_t{kWrite});
    const auto pop = [&](uint64_t address, uint32_t length) {
        const auto words = pop_of(rig, {{address, length, 0, write}});
        rig.queue->publish();
        return words;
    };
    CHECK(pop(kHighEnd - 512, 512) == "chain");
    CHECK(pop(kHighEnd - 512, 513) == not_ram);
    CHECK(pop(kLowEnd - 1, 1) == "chain");
    CHECK(pop(kLowEnd - 1, 2) == not_ram);
    CHECK(pop(kLowEnd - 4, static_cast<uint32_t>(kHigh - kLowEnd + 8)) == not_ram);
    CHECK(pop(~uint64_t{0} - 7, 16) == not_ram);
    CHECK(pop(kLowEnd, 0) == "chain");  // 2.8.4 has no rule against 0
}

TEST_CASE("packed, 2.8.17: a readable descriptor after a writable one is refused") {
    Rig rig(kPackedEvents);
    const std::string words = "malformed: a readable descriptor comes after a writable one";
    CHECK(pop_of(rig, {{kData, 8, 0, kWrite | kNext}, {kData, 8, 0, 0}}) == words);
    CHECK(pop_of_table(rig, {{kData, 8, true}, {kData, 8}}) == words);
}

TEST_CASE("packed, 2.8.19: an indirect descriptor stands alone") {
    Rig rig(kPackedEvents);
    const std::string words = "malformed: an indirect descriptor in a chain with others";
    CHECK(pop_of(rig, {{kData, 8, 0, kNext}, {kTables, 16, 0, kIndirect}}) == words);
    CHECK(pop_of(rig, {{kTables, 16, 0, kIndirect | kNext}, {kData, 8, 0, 0}}) == words);
    CHECK(pop_of_table(rig, {{kData, 8}}) == "chain");
}

TEST_CASE("packed, 2.8.19: an indirect descriptor that wasn't negotiated") {
    Rig rig(kPacked);
    CHECK(pop_of_table(rig, {{kData, 8}}) == "malformed: an indirect descriptor, which was not negotiated");
}

TEST_CASE("packed, 2.8.7: an indirect table's length is a multiple of 16, and not 0, and it is in RAM") {
    Rig rig(kPackedEvents);
    for (const uint32_t length : {0u, 15u, 17u, 0xffff'ffffu})
        CHECK(pop_of(rig, {{kTables, length, 0, kIndirect}}) ==
              "malformed: an indirect table whose length is 0 or not a multiple of 16");
    CHECK(pop_of(rig, {{kHighEnd - 16, 32, 0, kIndirect}}) ==
          "malformed: an indirect table isn't wholly inside one range of RAM");
    CHECK(pop_of(rig, {{kTables, 0xffff'fff0, 0, kIndirect}}) ==
          "malformed: an indirect table isn't wholly inside one range of RAM");
}

TEST_CASE("packed, rule 3: an indirect table longer than the queue is refused") {
    Rig rig(kPackedEvents);
    CHECK(pop_of_table(rig, Buffers(9, Buffer{kData, 1})) ==
          "malformed: a chain has more descriptors than the queue");
    CHECK(pop_of_table(rig, Buffers(8, Buffer{kData, 1})) == "chain");
}

TEST_CASE("packed, 2.8.7: in an indirect table only the write flag counts, so nothing is ever nested") {
    Rig rig(kPackedEvents);
    rig.packed().add_indirect({{kData, 16}, {kData, 32, true}}, kTables);
    rig.driver->poke<uint16_t>(kTables + 14, kIndirect | kNext | kAvailable | kUsed);
    rig.driver->publish();
    DescriptorChain chain = pop_chain(*rig.queue);
    CHECK(chain.readable_bytes() == 16);
    CHECK(chain.readable()[0].data() == rig.memory->slice(Gpa{kData}, 16)->data());
    CHECK(chain.writable_bytes() == 32);
    chain.complete(0);
}

TEST_CASE("packed, 2.8.17: a chain that goes on in a descriptor that isn't available breaks the queue") {
    Rig rig(kPacked);
    const std::string words = "broken: a chain goes on in a descriptor that isn't available";
    // kAvailable in raw flags turns the right value round.
    CHECK(pop_of(rig, {{kData, 8, 0, kNext}, {kData, 8, 0, kAvailable}}) == words);
    CHECK(pop_words(*rig.queue) == words);
    rig.queue->publish();
    CHECK_FALSE(rig.driver->get_used());
}

TEST_CASE("packed, rule 3: a chain without an end breaks the queue") {
    Rig rig(kPacked);
    CHECK(pop_of(rig, std::vector<PackedDescriptor>(8, {kData, 8, 0, kNext})) ==
          "broken: more descriptors are available than are free");
}

TEST_CASE("packed, 2.8.17: descriptors that are still with the device can't be made available again") {
    Rig rig(kPacked);
    for (int i = 0; i < 4; ++i) rig.driver->add({{kData, 8}, {kData, 8}});
    rig.driver->publish();
    std::vector<DescriptorChain> chains;
    for (int i = 0; i < 4; ++i) chains.push_back(pop_chain(*rig.queue));
    CHECK(pop_words(*rig.queue).empty());
    chains[0].complete(0);  // not published: the driver can't know
    CHECK(pop_of(rig, {{kData, 8, 0, 0}}) == "broken: more descriptors are available than are free");
    for (size_t i = 1; i < 4; ++i) chains[i].complete(0);
    CHECK(rig.queue->in_flight() == 0);
}

TEST_CASE("packed, 2.8.15: a descriptor is ours only when its flags have turned to available") {
    Rig rig(kPacked);
    const auto with_flags = [&](uint16_t flags) {
        rig.driver->poke<uint16_t>(kDescriptors + 14, flags);
        return pop_words(*rig.queue);
    };
    CHECK(with_flags(0).empty());
    CHECK(with_flags(kUsed).empty());               // available in the other lap
    CHECK(with_flags(kAvailable | kUsed).empty());  // used in this one
    CHECK(with_flags(kAvailable) == "chain");
}

TEST_CASE("packed: any buffer id goes back as it came") {
    Rig rig(kPacked);
    rig.driver->add({{kData, 8}});
    rig.driver->poke<uint16_t>(kDescriptors + 12, uint16_t{0xffff});
    rig.driver->publish();
    CHECK(drain(*rig.queue) == 1);
    CHECK(rig.driver->peek<uint16_t>(kDescriptors + 12) == 0xffff);
}

TEST_CASE("packed, rules 1 and 6: what changes in the ring after pop() changes nothing of ours") {
    Rig rig(kPacked);
    const uint16_t id = rig.driver->add({{kData, 64, true}, {kData, 64, true}});
    rig.driver->publish();
    DescriptorChain chain = pop_chain(*rig.queue);
    rig.memory->write(Gpa{kDescriptors}, PackedDescriptor{~uint64_t{0}, 1, 1, 0xffff});
    rig.memory->write(Gpa{kDescriptors + 16}, PackedDescriptor{~uint64_t{0}, 1, 1, 0xffff});
    CHECK(chain.writable_bytes() == 128);
    chain.complete(100);
    rig.queue->publish();
    CHECK(rig.driver->get_used() == Used{id, 100});
    // And the next chain is expected two places on.
    rig.driver->add({{kData, 8}});
    rig.driver->publish();
    CHECK(drain(*rig.queue) == 1);
}
