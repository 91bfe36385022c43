// Hostile drivers, failing backends, resets and rebuilds in the middle of traffic.
#include <random>

#include "tests/virtio/net_rig.h"
// After ours, whose CHECK is another.
#include "tests/catch.h"

using namespace carrel;
using namespace carrel::virtio;
using namespace carrel::virtio::test;

TEST_CASE("net: chains that are no frames go back with length 0, and the next frame goes out") {
    NetSide side(kAll, 1, GENERATE(false, true));
    const uint64_t at = NetSide::kTransmitAt;
    const Buffers wrong[] = {{{at, 0}},
                             {{at, 11}},
                             {{at, 12}},
                             {{at, 25}},
                             {{at, 26 + kLongestFrame - 13}},
                             {{at, 100, true}},
                             {{at, 20}, {at, 100, true}},
                             {{kLowEnd - 10, 100}},
                             {{~uint64_t{0} - 10, 100}}};
    for (const Buffers& buffers : wrong) {
        side.on(1).add(buffers);
        side.kick(1);
        const auto used = side.on(1).get_used();
        REQUIRE(used);
        CHECK(used->length == 0);
    }
    CHECK(side.backend.sent.empty());
    side.put(make_frame(14));
    side.kick(1);
    CHECK(side.backend.sent.size() == 1);
    CHECK_FALSE(side.broken);
    CHECK(side.net->counters().refused + side.net->malformed() == std::size(wrong));
}

TEST_CASE("net: the largest frame goes out, and one that ends at the top of RAM") {
    NetSide side;
    side.on(1).add({{NetSide::kTransmitAt, sizeof(NetHeader) + kLongestFrame}});
    side.on(1).add({{kHighEnd - 112, 112}});
    side.kick(1);
    REQUIRE(side.backend.sent.size() == 2);
    CHECK(side.backend.sent[0].size() == sizeof(NetHeader) + kLongestFrame);
    CHECK(side.backend.sent[1].size() == 112);
}

TEST_CASE("net: receive buffers that are too small, or readable, go back with length 0") {
    NetSide side(GENERATE(as<uint64_t>{}, kPlain, kAll), 1, GENERATE(false, true));
    side.on(0).add({{NetSide::kReceiveAt, 25, true}});
    side.on(0).add({{NetSide::kReceiveAt, 100}});
    side.on(0).add({{NetSide::kReceiveAt, 12}, {NetSide::kReceiveAt + 0x100, 1600, true}});
    side.on(0).add({{kLowEnd - 1, 2, true}});
    side.give(40, 4096);
    for (int i = 0; i < 4; ++i) {
        const auto used = side.on(0).get_used();
        REQUIRE(used);
        CHECK(used->length == 0);
    }
    side.backend.offer(make_frame(60));
    side.backend.loop();
    CHECK(side.got().size() == 72);
    CHECK_FALSE(side.broken);
}

TEST_CASE("net: what a backend gives that is no frame isn't passed on") {
    NetSide side;
    side.give(40, 4096);
    for (const size_t length : {0u, 1u, 13u}) side.backend.offer(make_frame(length));
    side.backend.waiting[0].push_back(Bytes(5));
    side.backend.offer(make_frame(14));
    side.backend.loop();
    CHECK(side.got().size() == 26);
    CHECK(side.net->counters().receive_errors == 4);
}

TEST_CASE("net, 5.1.6.4.1: a frame of a kind that the driver hasn't taken isn't passed on") {
    NetSide side((kAll & ~(kNetGuestEcn | kNetGuestUso6)) | kNetMac);
    side.give(60, 4096);
    NetHeader header{};
    for (const int kind : {kGsoTcp4 | kGsoEcn, int{kGsoUdp}}) {
        header.gso_type = static_cast<uint8_t>(kind);
        side.backend.offer(make_frame(60), header);
    }
    header.gso_type = kGsoTcp4;
    side.backend.offer(make_frame(60), header);
    side.backend.loop();
    CHECK(side.net->counters().stale == 2);
    CHECK(side.got().size() == 72);
}

TEST_CASE("net: a backend that fails loses frames, and nothing else") {
    NetSide side;
    side.give(40, 4096);
    side.backend.fail_send = EINVAL;
    side.put(make_frame(60));
    side.kick(1);
    CHECK(side.on(1).get_used());
    CHECK(side.net->counters().send_errors == 1);
    side.backend.fail_receive = EIO;
    side.backend.offer(make_frame(60));
    side.backend.listener->frames_waiting(0);
    CHECK(side.net->counters().receive_errors == 1);
    side.backend.fail_send = side.backend.fail_receive = 0;
    side.backend.loop();
    CHECK(side.got().size() == 72);
}

TEST_CASE("net: a driver that breaks the protocol isn't served until its reset, and then is") {
    NetSide side;
    side.give(20, 4096);
    const uint16_t queue = GENERATE(uint16_t{0}, uint16_t{1}, uint16_t{2});
    side.on(queue).poke<uint16_t>(kDriverArea + NetSide::shift(queue) + kRingIndex, 0x7000);
    side.net->notify(queue);
    side.backend.offer(make_frame(60));
    side.backend.loop();
    if (queue == 0) {  // what had been taken before is still good; the next chain isn't
        for (int i = 0; i < 40; ++i) side.backend.offer(make_frame(4000));
        side.backend.loop();
    }
    CHECK(side.broken);
    CHECK_FALSE(side.backend.watched[0]);
    side.net->reset();
    side.forget_rings();
    side.backend.waiting[0].clear();
    REQUIRE(side.start() == nullptr);
    side.give(20, 4096);
    side.backend.offer(make_frame(61));
    side.backend.loop();
    CHECK(side.got().size() == 73);
}

TEST_CASE("net: after a reset nothing touches guest memory, and the backend is left alone") {
    NetSide side;
    side.give(20, 4096);
    side.backend.full = true;
    side.put(make_frame(60));
    side.kick(1);
    side.net->reset();
    side.backend.full = false;
    side.backend.offer(make_frame(60));
    side.backend.loop();
    side.backend.listener->room(0);
    CHECK(side.backend.sent.empty());
    CHECK(side.backend.waiting[0].size() == 1);
    CHECK_FALSE(side.backend.watched[0]);
    CHECK(side.on(0).get_used() == std::nullopt);
}

TEST_CASE("net: paused, nothing moves; then all goes on") {
    NetSide side(kAll, 1, GENERATE(false, true));
    side.give(20, 4096);
    REQUIRE(side.net->quiesce(kSecond));
    side.backend.offer(make_frame(60));
    side.backend.loop();
    side.put(make_frame(60));
    side.kick(1);
    CHECK(side.got().empty());
    CHECK(side.backend.sent.empty());
    side.net->resume();
    side.run_again();
    side.backend.loop();
    CHECK(side.got().size() == 72);
    CHECK(side.backend.sent.size() == 1);
}

TEST_CASE("net: taken apart and rebuilt in the middle of traffic, nothing is lost, doubled or out of order") {
    NetSide side(GENERATE(as<uint64_t>{}, kPlain, kAll), 1, GENERATE(false, true));
    std::mt19937 random(7);
    side.give(40, 4096);
    uint8_t in = 0, out = 0, seen = 0;
    for (int step = 0; step < 2000; ++step) {
        switch (random() % 5) {
            case 0: side.backend.offer(make_frame(60 + random() % 3000, in++)); break;
            case 1:
                if (out - side.backend.sent.size() < 8) side.put(make_frame(60, out++));
                side.kick(1);
                break;
            case 2: side.backend.full = random() % 2 == 0; break;
            case 3: REQUIRE(side.rebuild()); break;
            default: break;
        }
        if (!side.backend.full) side.backend.listener->room(0);
        side.run_again();
        side.backend.loop();
        for (Bytes frame = side.got(); !frame.empty(); frame = side.got()) {
            const Bytes payload(frame.begin() + 12, frame.end());
            REQUIRE(payload == make_frame(payload.size(), seen++));
            side.give(frame[10], 4096);
        }
        REQUIRE(seen == in);
        while (side.on(1).get_used()) continue;
        if (out > 200) {
            side.backend.full = false;
            side.backend.listener->room(0);
            REQUIRE(side.backend.sent.size() == out);
            for (uint8_t i = 0; i < out; ++i)
                REQUIRE(Bytes(side.backend.sent[i].begin() + 12, side.backend.sent[i].end()) ==
                        make_frame(60, i));
            side.backend.sent.clear();
            out = 0;
        }
    }
    CHECK_FALSE(side.broken);
}

TEST_CASE("net: queues that the driver hasn't set up, or has reset, get no frames; set up again, they do") {
    NetSide side(kAll | kNetMultiqueue, 2);
    side.net->reset();
    side.forget_rings();
    std::vector<QueueState> states;
    for (const auto& driver : side.drivers) states.push_back(driver->state());
    states[2].ready = states[3].ready = false;
    REQUIRE(side.activate(states) == nullptr);
    side.give(30, 4096);
    CHECK(side.command(kNetPairs, kNetPairsSet, {2, 0}) == kNetOk);
    side.backend.offer(make_frame(60), {}, 1);
    side.backend.listener->frames_waiting(1);
    side.backend.listener->room(1);
    CHECK(side.backend.waiting[1].size() == 1);
    CHECK_FALSE(side.backend.watched[1]);
    // One that was in use.
    REQUIRE(side.net->reset_queue(0));
    side.run_again();
    side.backend.offer(make_frame(60));
    side.backend.listener->frames_waiting(0);
    CHECK(side.backend.waiting[0].size() == 1);
    CHECK_FALSE(side.backend.watched[0]);
    side.forget_rings();
    REQUIRE(side.net->enable_queue(0, side.on(0).state()) == nullptr);
    side.give(30, 4096);
    side.backend.loop();
    CHECK(side.got().size() == 72);
}

TEST_CASE("net: saved bytes that can't be") {
    NetSide side(kAll, 2);
    ByteWriter writer;
    side.net->save(writer);
    const std::vector<std::byte> good(writer.bytes().begin(), writer.bytes().end());
    side.net->reset();
    ByteReader whole(good);
    CHECK(side.net->restore(whole).ok());
    for (size_t length = 0; length < good.size(); ++length) {
        ByteReader cut({good.data(), length});
        CHECK_FALSE(side.net->restore(cut).ok());
    }
    // Behind the part's ten bytes: addresses, 12; said, 1; offloads, 8; pairs, 2; modes, 1; tables.
    const std::pair<size_t, std::byte> wrong[] = {
        {22, std::byte{2}},    {23, std::byte{1}}, {31, std::byte{0}},  {31, std::byte{3}},
        {33, std::byte{0x40}}, {34, std::byte{1}}, {35, std::byte{65}}, {39, std::byte{2}}};
    for (const auto& [at, value] : wrong) {
        std::vector<std::byte> bytes = good;
        bytes[at] = value;
        ByteReader reader(bytes);
        INFO(at);
        CHECK_FALSE(side.net->restore(reader).ok());
        CHECK(side.config()[5] == 1);
    }
}
