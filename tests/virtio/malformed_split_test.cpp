// Every rule that a driver can break in a split ring: what is said, and that the queue goes on (or doesn't).
#include "devices/virtio/queue/virt_queue.h"
#include "tests/virtio/rig.h"
// After ours, whose CHECK is another.
#include "tests/catch.h"

using namespace carrel;
using namespace carrel::virtio;
using namespace carrel::virtio::test;

namespace {

constexpr uint16_t kLast = 7;  // of a queue of 8

// Descriptor 0 and those that follow it, in the main table. `next` of each is as given.
std::string pop_of(Rig& rig, const std::vector<SplitDescriptor>& descriptors, uint16_t head = 0) {
    for (size_t i = 0; i < descriptors.size(); ++i)
        rig.split().set_descriptor(kDescriptors, i, descriptors[i]);
    rig.split().offer(head);
    rig.split().publish();
    return pop_words(*rig.queue);
}
// The same in an indirect table.
std::string pop_of_table(Rig& rig, const std::vector<SplitDescriptor>& descriptors,
                         uint16_t flags = kIndirect) {
    for (size_t i = 0; i < descriptors.size(); ++i) rig.split().set_descriptor(kTables, i, descriptors[i]);
    const auto length = static_cast<uint32_t>(descriptors.size() * kDescriptorSize);
    return pop_of(rig, {{kTables, length, flags, 1}});
}

SplitDescriptor buffer(uint64_t address, uint32_t length) {
    return {address, length, 0, 0};
}

}  // namespace

TEST_CASE("split, rule 4: a malformed chain goes back with length 0, and the queue goes on") {
    Rig rig(kSplit);
    CHECK(pop_of(rig, {buffer(kLowEnd, 1)}, 0) ==
          "malformed: a descriptor's buffer isn't wholly inside one range of RAM");
    CHECK_FALSE(rig.driver->get_used());  // with the batch, like all others
    CHECK(pop_of(rig, {buffer(kData, 1)}) == "chain");
    rig.queue->publish();
    CHECK(rig.driver->get_used() == Used{0, 0});
    CHECK(rig.driver->get_used() == Used{0, 0});
    CHECK_FALSE(rig.driver->get_used());
}

TEST_CASE("split, rule 2: whole ranges are checked; the very top of RAM is legal and one byte more is not") {
    Rig rig(kSplit);
    const std::string not_ram = "malformed: a descriptor's buffer isn't wholly inside one range of RAM";
    const uint16_t write = GENERATE(uint16_t{0}, uint16_t{kWrite});
    const auto pop = [&](uint64_t address, uint32_t length) {
        return pop_of(rig, {{address, length, write, 0}});
    };
    CHECK(pop(kHighEnd - 512, 512) == "chain");
    CHECK(pop(kHighEnd - 512, 513) == not_ram);
    CHECK(pop(kHighEnd, 1) == not_ram);
    CHECK(pop(kLowEnd - 1, 1) == "chain");
    CHECK(pop(kLowEnd - 1, 2) == not_ram);
    CHECK(pop(kLowEnd - 4, static_cast<uint32_t>(kHigh - kLowEnd + 8)) == not_ram);  // over the hole
    rig.queue->publish();
    CHECK(pop(~uint64_t{0} - 7, 16) == not_ram);  // wraps
    CHECK(pop(0, UINT32_MAX) == not_ram);
    CHECK(pop(kHigh, 1) == "chain");
}

TEST_CASE("split, 2.7.13.1: a length of 0 is legal, whatever its address, and gives no piece") {
    Rig rig(kSplit);
    rig.driver->add({{~uint64_t{0}, 0}, {kData, 4}, {kLowEnd, 0}, {kData + 4, 4, true}, {kLowEnd, 0, true}});
    rig.driver->add({{kLowEnd + 1, 0}});
    rig.driver->publish();
    DescriptorChain chain = pop_chain(*rig.queue);
    CHECK(chain.readable().size() == 1);
    CHECK(chain.writable().size() == 1);
    DescriptorChain nothing = pop_chain(*rig.queue);
    CHECK(nothing.readable().empty());
    CHECK(nothing.writable().empty());
    chain.complete(4);
    nothing.complete(0);
    // It counts in the order, though.
    CHECK(pop_of(rig, {{kData, 0, kWrite | kNext, 1}, buffer(kData, 0)}) ==
          "malformed: a readable descriptor comes after a writable one");
}

TEST_CASE("split, 2.7.4.2: a readable descriptor after a writable one is refused") {
    Rig rig(kSplitEvents);
    const std::string words = "malformed: a readable descriptor comes after a writable one";
    CHECK(pop_of(rig, {{kData, 8, kWrite | kNext, 1}, buffer(kData, 8)}) == words);
    CHECK(pop_of_table(rig, {{kData, 8, kWrite | kNext, 1}, buffer(kData, 8)}) == words);
}

TEST_CASE("split, rule 3: a loop of descriptors ends at the queue's size") {
    Rig rig(kSplit);
    const std::string words = "malformed: a chain has more descriptors than the queue";
    CHECK(pop_of(rig, {{kData, 8, kNext, 0}}) == words);
    CHECK(pop_of(rig, {{kData, 8, kNext, 1}, {kData, 0, kNext, 0}}) == words);
}

TEST_CASE("split, 2.7.5: next must be in the table") {
    Rig rig(kSplitEvents);
    CHECK(pop_of(rig, {{kData, 8, kNext, 8}}) ==
          "malformed: a descriptor's next is beyond the descriptor table");
    CHECK(pop_of(rig, {{kData, 8, kNext, 0xffff}}) ==
          "malformed: a descriptor's next is beyond the descriptor table");
    CHECK(pop_of(rig, {{kData, 8, 0, 0xffff}}) == "chain");  // not looked at without NEXT
    CHECK(pop_of_table(rig, {{kData, 8, kNext, 1}}) ==
          "malformed: a descriptor's next is beyond its indirect table");
}

TEST_CASE("split, 2.7.5.2: a chain of 4 GiB or more is refused") {
    // Big RAM, of which nothing is touched but the rings.
    const RamMap map{{RamRange{Gpa{0}, 2 * kGiB}}};
    const auto memory = GuestMemory::create(map, MemoryBacking::kAnonymous).value();
    SplitDriver driver(*memory, 8, kSplit);
    const auto queue = open_queue(*memory, driver.state(), kSplit);
    constexpr uint32_t kHalf = 0x8000'0000;
    driver.add({{0, kHalf}, {0, kHalf, true}});
    driver.add({{0, kHalf - 1}, {0, kHalf, true}});
    driver.publish();
    CHECK(pop_words(*queue) == "malformed: a chain is longer than 4 GiB less one byte");
    DescriptorChain chain = pop_chain(*queue);
    CHECK(uint64_t{chain.readable_bytes()} + chain.writable_bytes() == UINT32_MAX);
    chain.complete(0);
}

TEST_CASE("split, 2.7.5.3.1: an indirect descriptor that wasn't negotiated") {
    Rig rig(kSplit);
    CHECK(pop_of_table(rig, {buffer(kData, 8)}) ==
          "malformed: an indirect descriptor, which was not negotiated");
}

TEST_CASE("split, 2.7.5.3.1: indirect in indirect, and indirect with NEXT, are refused") {
    Rig rig(kSplitEvents);
    CHECK(pop_of_table(rig, {{kTables, 16, kIndirect, 0}}) ==
          "malformed: an indirect descriptor inside an indirect table");
    CHECK(pop_of_table(rig, {buffer(kData, 8)}, kIndirect | kNext) ==
          "malformed: an indirect descriptor with a next one");
}

TEST_CASE("split, 2.7.5.3: an indirect table's length is a multiple of 16, and not 0") {
    Rig rig(kSplitEvents);
    const uint32_t length = GENERATE(0u, 1u, 15u, 17u, 0xffff'ffffu);
    CHECK(pop_of(rig, {{kTables, length, kIndirect, 0}}) ==
          "malformed: an indirect table whose length is 0 or not a multiple of 16");
}

TEST_CASE("split, rule 2: an indirect table is wholly in RAM, and may end at its very top") {
    Rig rig(kSplitEvents);
    const std::string words = "malformed: an indirect table isn't wholly inside one range of RAM";
    CHECK(pop_of(rig, {{kHighEnd - 16, 32, kIndirect, 0}}) == words);
    CHECK(pop_of(rig, {{kLowEnd - 16, 32, kIndirect, 0}}) == words);
    CHECK(pop_of(rig, {{~uint64_t{0} - 15, 32, kIndirect, 0}}) == words);
    CHECK(pop_of(rig, {{kTables, 0xffff'fff0, kIndirect, 0}}) == words);
    rig.split().set_descriptor(kHighEnd - 16, 0, buffer(kData, 8));
    CHECK(pop_of(rig, {{kHighEnd - 16, 16, kIndirect, 0}}) == "chain");
}

TEST_CASE(
    "split, rule 3: a loop in an indirect table ends at the table's size, a long table at the queue's") {
    Rig rig(kSplitEvents);
    CHECK(pop_of_table(rig, {{kData, 8, kNext, 1}, {kData, 8, kNext, 0}}) ==
          "malformed: a loop in an indirect table");
    std::vector<SplitDescriptor> table;
    for (uint16_t i = 0; i < 9; ++i) table.push_back({kData, 8, kNext, static_cast<uint16_t>(i + 1)});
    table.back().flags = 0;
    CHECK(pop_of_table(rig, table) == "malformed: a chain has more descriptors than the queue");
    // Unused entries behind the end of the chain are legal.
    table[3].flags = 0;
    CHECK(pop_of_table(rig, table) == "chain");
}

TEST_CASE("split, 2.7.6: a head beyond the table breaks the queue") {
    Rig rig(kSplit);
    const uint16_t head = GENERATE(uint16_t{kLast + 1}, uint16_t{0xffff});
    CHECK(pop_of(rig, {buffer(kData, 8)}, head) ==
          "broken: the head of a chain is beyond the descriptor table");
    CHECK(pop_of(rig, {buffer(kData, 8)}, 0) == "broken: the head of a chain is beyond the descriptor table");
    rig.queue->publish();
    CHECK(rig.split().used_index() == 0);
    CHECK_FALSE(rig.queue->enable_notifications());
}

TEST_CASE("split, rule 4: an available index more than the queue's size ahead breaks the queue") {
    const std::string words = "broken: the available index is more than the queue's size ahead";
    SECTION("at once") {
        Rig rig(kSplit);
        const uint16_t ahead =
            GENERATE(uint16_t{9}, uint16_t{0x8000}, uint16_t{0xffff});  // -1: gone back, 2.7.6.1
        rig.driver->poke(kDriverArea + kRingIndex, ahead);
        CHECK(pop_words(*rig.queue) == words);
    }
    SECTION("counting what is with the device, and what it has not published") {
        Rig rig(kSplit);
        for (int i = 0; i < 8; ++i) rig.driver->add({{kData, 8}});
        rig.driver->publish();
        std::vector<DescriptorChain> chains;
        for (int i = 0; i < 8; ++i) chains.push_back(pop_chain(*rig.queue));
        chains[0].complete(0);
        rig.split().offer(0);
        rig.split().publish();
        CHECK(pop_words(*rig.queue) == words);
        // Nothing is given back any more.
        for (size_t i = 1; i < 8; ++i) chains[i].complete(0);
        rig.queue->publish();
        CHECK(rig.split().used_index() == 0);
        CHECK_FALSE(rig.queue->should_interrupt());
    }
}

TEST_CASE("split, rule 6: what the driver scribbles into the used ring changes nothing of ours") {
    Rig rig(kSplit);
    for (uint16_t i = 0; i < 20; ++i) {
        const uint16_t head = rig.driver->add({{kData, 8}});
        rig.driver->publish();
        rig.driver->poke<uint16_t>(kDeviceArea + kRingIndex, uint16_t{0x5555});
        CHECK(drain(*rig.queue) == 1);
        CHECK(rig.split().used_index() == i + 1);
        CHECK(rig.driver->get_used() == Used{head, 0});
    }
}

TEST_CASE("split, rule 1: a descriptor that changes after it was looked at changes nothing") {
    Rig rig(kSplit);
    rig.split().set_descriptor(kDescriptors, 3, {kData, 64, kWrite, 0});
    rig.split().offer(3);
    rig.split().publish();
    DescriptorChain chain = pop_chain(*rig.queue);
    rig.split().set_descriptor(kDescriptors, 3, {~uint64_t{0}, 0xffff'ffff, kIndirect, 9});
    rig.driver->poke<uint16_t>(kDriverArea + kRingEntries, uint16_t{0xffff});
    CHECK(chain.writable_bytes() == 64);
    CHECK(chain.writable()[0].data() == rig.memory->slice(Gpa{kData}, 64)->data());
    chain.complete(64);
    rig.queue->publish();
    CHECK(rig.driver->peek<uint32_t>(kDeviceArea + kRingEntries) == 3);
}

TEST_CASE("split: buffers may lie in the rings themselves; the driver harms only itself") {
    Rig rig(kSplit);
    CHECK(pop_of(rig, {{kDeviceArea, 70, kWrite, 0}}) == "chain");
    CHECK(pop_of(rig, {{kDescriptors, 128, kWrite, 0}}) == "chain");
    CHECK(drain(*rig.queue) == 0);
    CHECK(rig.split().used_index() == 2);
}
