// A chain's life, and its bytes through readers and writers.
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <functional>

#include "devices/virtio/queue/chain_io.h"
#include "devices/virtio/queue/chain_slots.h"
#include "devices/virtio/queue/virt_queue.h"
#include "tests/virtio/rig.h"
// After ours, whose CHECK is another.
#include "tests/catch.h"

using namespace carrel;
using namespace carrel::virtio;
using namespace carrel::virtio::test;

namespace {

// Whether `act`, with one chain available, fails a CHECK of ours; in a child process, which has a rig of its
// own, for guest memory isn't inherited.
bool is_our_bug(const QueueFeatures& features, const std::function<void(Rig&)>& act) {
    const pid_t child = ::fork();
    if (child == 0) {
        ::close(STDERR_FILENO);
        std::signal(SIGABRT, SIG_DFL);  // not the test framework's
        Rig rig(features);
        rig.driver->add({{kData, 8, true}});
        rig.driver->publish();
        act(rig);
        ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

// A chain with `readable` and `writable` bytes, cut into buffers of the lengths given, that lie in reverse.
DescriptorChain make_chain(Rig& rig, const std::vector<uint32_t>& readable,
                           const std::vector<uint32_t>& writable) {
    Buffers buffers;
    uint64_t address = kData + 0x10000;
    for (const uint32_t length : readable) buffers.push_back({address -= 0x100, length});
    for (const uint32_t length : writable) buffers.push_back({address -= 0x100, length, true});
    rig.driver->add(buffers);
    rig.driver->publish();
    return pop_chain(*rig.queue);
}

}  // namespace

TEST_CASE("chain: it ends exactly once, or it's our bug") {
    const auto features = GENERATE(kSplit, kPacked);
    SECTION("dropped") {
        CHECK(is_our_bug(features, [](Rig& rig) { const DescriptorChain chain = pop_chain(*rig.queue); }));
    }
    SECTION("completed twice") {
        CHECK(is_our_bug(features, [](Rig& rig) {
            DescriptorChain chain = pop_chain(*rig.queue);
            chain.complete(0);
            chain.complete(0);
        }));
    }
    SECTION("another is put in its place") {
        CHECK(is_our_bug(features, [](Rig& rig) {
            DescriptorChain chain = pop_chain(*rig.queue);
            rig.driver->add({{kData, 8}});
            rig.driver->publish();
            chain = pop_chain(*rig.queue);
        }));
    }
    SECTION("more written than there is room") {
        CHECK(is_our_bug(features, [](Rig& rig) { pop_chain(*rig.queue).complete(9); }));
    }
    SECTION("the queue goes first") {
        CHECK(is_our_bug(features, [](Rig& rig) {
            DescriptorChain chain = pop_chain(*rig.queue);
            rig.queue.reset();
        }));
    }
    SECTION("saved meanwhile, or before publish()") {
        CHECK(is_our_bug(features, [](Rig& rig) {
            DescriptorChain chain = pop_chain(*rig.queue);
            (void)rig.queue->state();
        }));
        CHECK(is_our_bug(features, [](Rig& rig) {
            pop_chain(*rig.queue).complete(0);
            (void)rig.queue->state();
        }));
    }
    SECTION("moved and completed: as it should be") {
        CHECK_FALSE(is_our_bug(features, [](Rig& rig) {
            DescriptorChain chain = pop_chain(*rig.queue);
            DescriptorChain other = std::move(chain);
            other.complete(8);
            rig.queue->publish();
            (void)rig.queue->state();
        }));
    }
}

TEST_CASE("chain: abandoned in a reset, nothing is given back") {
    Rig rig(GENERATE(kSplit, kPacked));
    for (int i = 0; i < 3; ++i) rig.driver->add({{kData, 8}, {kData, 8, true}});
    rig.driver->publish();
    DescriptorChain first = pop_chain(*rig.queue);
    DescriptorChain second = pop_chain(*rig.queue);
    second.abandon();
    first.abandon();
    rig.queue->publish();
    CHECK(rig.queue->in_flight() == 0);
    CHECK_FALSE(rig.driver->get_used());
    CHECK(pop_words(*rig.queue) == "broken: the queue is being reset");
}

TEST_CASE("2.7.4.1: headers are read and written across any cut") {
    Rig rig(kSplit, 32);
    const auto cuts = GENERATE(std::vector<uint32_t>{24}, std::vector<uint32_t>{1, 1, 22},
                               std::vector<uint32_t>{7, 0, 9, 8}, std::vector<uint32_t>{23, 1});
    DescriptorChain chain = make_chain(rig, cuts, cuts);
    uint8_t value = 0;
    const ReadablePieces readable = chain.readable();
    for (size_t i = 0; i < readable.size(); ++i)
        for (const std::byte& byte : readable[i]) const_cast<std::byte&>(byte) = std::byte{value++};

    ChainReader reader(chain);
    CHECK(reader.get<uint64_t>() == 0x0706050403020100);
    CHECK(reader.get<uint32_t>() == 0x0b0a0908u);
    reader.skip(2);
    CHECK(reader.get<uint16_t>() == 0x0f0e);
    CHECK(reader.remaining() == 8);
    CHECK_FALSE(reader.get<std::array<uint8_t, 9>>());
    std::array<std::byte, 20> rest{};
    CHECK(reader.read(rest) == 8);
    CHECK(rest[7] == std::byte{23});
    CHECK(reader.remaining() == 0);
    CHECK_FALSE(reader.get<uint8_t>());
    reader.skip(100);

    ChainWriter writer(chain);
    CHECK(writer.put(uint64_t{0x1716151413121110}));
    writer.skip(13);
    CHECK_FALSE(writer.put(uint32_t{1}));
    CHECK(writer.put(uint16_t{0x5a5b}));
    CHECK(writer.write(rest) == 1);
    CHECK(writer.write(rest) == 0);
    std::vector<std::byte> written;
    const WritablePieces writable = chain.writable();
    for (size_t i = 0; i < writable.size(); ++i)
        for (const std::byte byte : writable[i]) written.push_back(byte);
    CHECK(written[0] == std::byte{0x10});
    CHECK(written[7] == std::byte{0x17});
    CHECK(written[8] == std::byte{0});
    CHECK(written[21] == std::byte{0x5b});
    CHECK(written[22] == std::byte{0x5a});
    CHECK(written[23] == rest[0]);
    chain.complete(24);
}

TEST_CASE("2.7.4.1: a request's data is gathered for a system call, wherever its header ended") {
    Rig rig(kSplit, 32);
    DescriptorChain chain = make_chain(rig, {20, 100, 50}, {512, 1});
    ChainReader reader(chain);
    reader.skip(16);
    std::array<iovec, 3> pieces{};
    CHECK(reader.gather(155, pieces) == 0);  // one byte more than there is
    CHECK(reader.gather(154, std::span(pieces).first(2)) == 0);
    CHECK(reader.remaining() == 154);  // neither moved it
    CHECK(reader.gather(130, pieces) == 3);
    CHECK(pieces[0].iov_base == chain.readable()[0].data() + 16);
    CHECK(pieces[0].iov_len == 4);
    CHECK(pieces[1].iov_len == 100);
    CHECK(pieces[2].iov_len == 26);
    CHECK(reader.gather(24, pieces) == 1);
    CHECK(pieces[0].iov_base == chain.readable()[2].data() + 26);
    ChainWriter writer(chain);
    CHECK(writer.gather(512, pieces) == 1);
    CHECK(writer.put(uint8_t{0}));
    chain.complete(513);
}

TEST_CASE(
    "chain slots: the pool gives runs, takes them back in any order, and an empty one fits the longest") {
    PiecePool pool(100 * PiecePool::kUnit);
    std::vector<iovec*> runs;
    for (int i = 0; i < 50; ++i) runs.push_back(pool.take(PiecePool::kUnit + 1));  // two units each
    CHECK(pool.take(1) == nullptr);
    for (size_t i = 0; i < runs.size(); i += 2) pool.give_back(runs[i], PiecePool::kUnit + 1);
    CHECK(pool.take(3 * PiecePool::kUnit) == nullptr);  // holes of two
    iovec* const hole = pool.take(2 * PiecePool::kUnit);
    CHECK(hole == runs[0]);
    pool.give_back(hole, 2 * PiecePool::kUnit);
    for (size_t i = 1; i < runs.size(); i += 2) pool.give_back(runs[i], PiecePool::kUnit + 1);
    CHECK(pool.take(100 * PiecePool::kUnit) == runs[0]);
}

TEST_CASE("chain: put back, the next pop() finds it again, and those behind it in their order") {
    Rig rig(GENERATE(kSplit, kSplitEvents, kPacked, kPackedEvents));
    for (uint64_t lap = 0; lap < 20; ++lap) {  // round the ring, several times
        rig.driver->add({{kData, 8}, {kData + 0x100, 16, true}});
        rig.driver->add({{kData + 0x200, 24}});
        rig.driver->add({{kData + 0x300, 32}, {kData + 0x400, 40}});
        rig.driver->publish();
        DescriptorChain first = pop_chain(*rig.queue);
        DescriptorChain second = pop_chain(*rig.queue);
        DescriptorChain third = pop_chain(*rig.queue);
        first.complete(3);
        third.put_back();
        second.put_back();
        CHECK(rig.queue->in_flight() == 0);
        rig.queue->publish();
        if (lap % 2 == 1) REQUIRE(rig.reopen());
        second = pop_chain(*rig.queue);
        CHECK(second.readable_bytes() == 24);
        third = pop_chain(*rig.queue);
        CHECK(third.readable_bytes() == 72);
        CHECK(pop_words(*rig.queue).empty());
        second.complete(0);
        third.complete(0);
        rig.queue->publish();
        int used = 0;
        while (rig.driver->get_used()) ++used;
        CHECK(used == 3);
    }
}

TEST_CASE("chain: put back after a malformed one behind it has gone back, it goes back, too") {
    Rig rig(GENERATE(kSplit, kPacked));
    rig.driver->add({{kData, 8}});
    rig.driver->add({{kLowEnd, 8}});  // not RAM
    rig.driver->publish();
    DescriptorChain first = pop_chain(*rig.queue);
    CHECK(pop_words(*rig.queue).starts_with("malformed"));
    first.put_back();
    rig.queue->publish();
    CHECK(pop_words(*rig.queue).empty());
    CHECK(rig.driver->get_used());
    CHECK(rig.driver->get_used());
}
