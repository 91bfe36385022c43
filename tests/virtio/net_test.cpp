// Frames in and out. VIRTIO 1.3, sections 5.1.6.2 to 5.1.6.4.
#include "devices/virtio/net/net.h"

#include "tests/virtio/net_rig.h"
// After ours, whose CHECK is another.
#include "tests/catch.h"

using namespace carrel;
using namespace carrel::virtio;
using namespace carrel::virtio::test;

namespace {

Bytes payload(const Bytes& received) {
    return received.size() < sizeof(NetHeader) ? Bytes{}
                                               : Bytes(received.begin() + sizeof(NetHeader), received.end());
}

}  // namespace

TEST_CASE("net: what it tells of itself") {
    NetSide side(kPlain, 2);
    CHECK(side.net->features() ==
          (kNetMac | kNetStatus | kNetMergeable | kNetCtrl | kNetCtrlRx | kNetCtrlRxExtra | kNetCtrlMac |
           kNetMtu | kNetMultiqueue | kNetCtrlGuestOffloads | kNetGuestOffloads | kNetHostOffloads));
    CHECK(side.net->queue_sizes().size() == 5);
    CHECK(side.config() == Bytes{2, 0, 0, 0, 0, 1, 1, 0, 2, 0, 0xdc, 5});
    side.backend.up = false;
    side.backend.listener->link_changed();
    CHECK(side.config_changes == 1);
    CHECK(side.config()[6] == 0);
    std::array<std::byte, 8> data{};
    for (const uint64_t offset : {uint64_t{11}, uint64_t{12}, uint64_t{0xfff}}) {
        data.fill(std::byte{0});
        side.net->read_config(offset, data);
        if (offset >= 12) CHECK(data == std::array<std::byte, 8>{});
    }
    side.net->write_config(0, data);
    CHECK(side.config()[0] == 2);
}

TEST_CASE("net: what the backend can't keep isn't offered") {
    FakeBackend backend;
    backend.offered = kNetCsum | feature(60) | kNetMultiqueue;
    backend.mtu_ = 0;
    ManualClock clock;
    const auto loop = EventLoop::create(clock).value();
    const auto throttle = Throttle::create(*loop, {}).value();
    const Net net(backend, NetIdentity{kOwn, 0}, {*throttle, *throttle});
    CHECK(net.features() == (kNetCsum | kNetMac | kNetStatus | kNetMergeable | kNetCtrl | kNetCtrlRx |
                             kNetCtrlRxExtra | kNetCtrlMac));
    const Net told(backend, NetIdentity{kOwn, 9000}, {*throttle, *throttle});
    CHECK((told.features() & kNetMtu) != 0);
}

TEST_CASE("net: a frame in, into one buffer, with a header that says so") {
    NetSide side(GENERATE(as<uint64_t>{}, kPlain, kAll), 1, GENERATE(false, true));
    side.give(2);
    if ((side.accepted & kNetMergeable) != 0) side.give(60);
    const size_t length = GENERATE(14u, 60u, 64u, 1514u);
    side.backend.offer(make_frame(length));
    side.backend.loop();
    const Bytes all = side.got();
    REQUIRE(all.size() == length + 12);
    CHECK(payload(all) == make_frame(length));
    CHECK(Bytes(all.begin(), all.begin() + 12) == Bytes{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0});
    CHECK(side.interrupts >= 1);
    CHECK(side.net->counters().received == 1);
    CHECK(side.net->counters().received_bytes == length);
}

TEST_CASE(
    "net, 5.1.6.4: a large frame in several buffers, however they are cut, and the next one behind it") {
    NetSide side(kAll, 1, GENERATE(false, true));
    const uint32_t buffer = GENERATE(1526u, 4096u, 16384u);
    side.give(60, buffer);
    NetHeader header{};
    header.flags = kNetNeedsCsum;
    header.gso_type = kGsoTcp4;
    header.gso_size = 1448;
    const size_t length =
        GENERATE_COPY(buffer - 12u, buffer - 11u, 2 * buffer - 12u, 2 * buffer - 11u, 40000u);
    const auto buffers = static_cast<uint32_t>((length + 12 + buffer - 1) / buffer);
    for (uint8_t seed = 0; seed < 20; ++seed) {
        side.backend.offer(make_frame(length, seed), header);
        side.backend.loop();
        const Bytes large = side.got();
        REQUIRE(large.size() == length + 12);
        REQUIRE(payload(large) == make_frame(length, seed));
        CHECK(large[0] == kNetNeedsCsum);
        CHECK(large[1] == kGsoTcp4);
        CHECK(large[10] == buffers);
        side.give(buffers, buffer);
        side.backend.offer(make_frame(60, static_cast<uint8_t>(seed + 100)));
        side.backend.loop();
        REQUIRE(payload(side.got()) == make_frame(60, static_cast<uint8_t>(seed + 100)));
        side.give(1, buffer);
    }
    CHECK(side.net->counters().received == 40);
}

TEST_CASE("net, 5.1.6.3: the largest frame fits, one byte more is dropped, and the buffers are used again") {
    NetSide side(kAll);
    side.give(60, 4096);
    side.backend.offer(make_frame(kLongestFrame));
    side.backend.loop();
    CHECK(payload(side.got()) == make_frame(kLongestFrame));
    side.give(17, 4096);
    side.backend.offer(make_frame(300'000));
    side.backend.offer(make_frame(99));
    side.backend.loop();
    CHECK(payload(side.got()) == make_frame(99));
    CHECK(side.net->counters().too_long == 1);
}

TEST_CASE("net: without merging, a frame that is longer than the buffer is dropped") {
    NetSide side(kPlain);
    side.give(4, 1526);
    side.backend.offer(make_frame(1515));
    side.backend.offer(make_frame(1514));
    side.backend.loop();
    CHECK(payload(side.got()) == make_frame(1514));
    CHECK(side.got().empty());
    CHECK(side.net->counters().too_long == 1);
}

TEST_CASE("net: a buffer of any pieces") {
    NetSide side(kPlain, 1, GENERATE(false, true));
    const std::vector<uint32_t> lengths = GENERATE(
        std::vector<uint32_t>{12, 1514}, std::vector<uint32_t>{10, 2, 14, 1500}, std::vector<uint32_t>(30, 3),
        std::vector<uint32_t>{26, 1}, std::vector<uint32_t>{25, 0, 100});
    Buffers buffers;
    uint64_t at = NetSide::kReceiveAt;
    for (const uint32_t length : lengths) {
        buffers.push_back({at, length, true});
        at += length;
    }
    const auto frame = static_cast<size_t>(at - NetSide::kReceiveAt - 12);
    side.on(0).add_indirect(buffers, kTables);
    side.kick(0);
    side.backend.offer(make_frame(frame));
    side.backend.loop();
    const auto used = side.on(0).get_used();
    REQUIRE(used);
    CHECK(used->length == frame + 12);
    CHECK(side.bytes(NetSide::kReceiveAt + 12, frame) == make_frame(frame));
}

TEST_CASE(
    "net: a flood to a guest that gives no buffers stalls nothing: it isn't watched until the doorbell "
    "rings") {
    NetSide side(GENERATE(as<uint64_t>{}, kPlain, kAll), 1, GENERATE(false, true));
    for (int i = 0; i < 1000; ++i) side.backend.offer(make_frame(60, static_cast<uint8_t>(i)));
    side.backend.loop();  // (which aborts when it spins)
    CHECK_FALSE(side.backend.watched[0]);
    CHECK(side.backend.waiting[0].size() == 1000);
    // Meanwhile frames go out, and commands are answered.
    side.put(make_frame(60));
    side.kick(1);
    CHECK(side.backend.sent.size() == 1);
    size_t received = 0;
    while (received < 1000) {
        side.give(static_cast<unsigned>(NetSide::kSize), 2048);
        side.backend.loop();
        const size_t before = received;
        for (Bytes frame = side.got(); !frame.empty(); frame = side.got()) {
            REQUIRE(payload(frame) == make_frame(60, static_cast<uint8_t>(received)));
            ++received;
        }
        REQUIRE(received != before);
        // Those that are still with the device.
        while (side.on(0).publish()) break;
        if (received < 1000 && (side.accepted & kNetMergeable) != 0) break;
    }
    CHECK(received > 0);
}

TEST_CASE("net: a guest that gives too few buffers for the largest frame gets what fits all the same") {
    NetSide side(kAll);
    side.give(NetSide::kSize, 512);  // the whole ring, 32 KiB
    side.backend.offer(make_frame(1514));
    side.backend.loop();
    CHECK(payload(side.got()) == make_frame(1514));
}

TEST_CASE("net: frames out, from any pieces, their headers with them") {
    NetSide side(GENERATE(as<uint64_t>{}, kPlain, kAll), 1, GENERATE(false, true));
    NetHeader header{};
    header.flags = kNetNeedsCsum;
    header.csum_start = 34;
    header.csum_offset = 16;
    side.put(make_frame(1514), header);
    const std::vector<uint32_t> lengths =
        GENERATE(std::vector<uint32_t>{12, 100}, std::vector<uint32_t>{5, 7, 1, 99},
                 std::vector<uint32_t>{112}, std::vector<uint32_t>{50, 0, 62});
    Buffers buffers;
    uint64_t at = NetSide::kControlAt + 0x10000;
    side.memory->write(Gpa{at}, header);
    const Bytes frame = make_frame(100, 9);
    side.memory->write_bytes(Gpa{at + 12}, std::as_bytes(std::span(frame)));
    for (const uint32_t length : lengths) {
        buffers.push_back({at, length});
        at += length;
    }
    side.on(1).add(buffers);
    side.kick(1);
    REQUIRE(side.backend.sent.size() == 2);
    CHECK(side.backend.flushed);
    CHECK(payload(side.backend.sent[0]) == make_frame(1514));
    CHECK(payload(side.backend.sent[1]) == frame);
    CHECK(side.backend.sent[1][0] == kNetNeedsCsum);
    CHECK(side.backend.sent[1][6] == 34);
    CHECK(side.on(1).get_used()->length == 0);
    CHECK(side.on(1).get_used()->length == 0);
}

TEST_CASE("net: another vCPU that changes a frame's addresses while it is sent isn't believed") {
    NetSide side(kAll);
    side.put(make_frame(60, 3));
    side.backend.before_send = [&] {
        side.memory->write_bytes(Gpa{NetSide::kTransmitAt + sizeof(NetHeader)}, std::vector<std::byte>(14));
    };
    side.kick(1);
    REQUIRE(side.backend.sent.size() == 1);
    const Bytes sent = payload(side.backend.sent[0]);
    CHECK(Bytes(sent.begin(), sent.begin() + 14) == [] {
        const Bytes whole = make_frame(60, 3);
        return Bytes(whole.begin(), whole.begin() + 14);
    }());
}

TEST_CASE("net: where there is no room, a frame keeps its chain, and all go in order when there is") {
    NetSide side(kAll);
    side.backend.full = true;
    for (uint8_t i = 0; i < 10; ++i) side.put(make_frame(60, i));
    side.kick(1);
    side.kick(1);
    CHECK_FALSE(side.on(1).get_used());
    side.backend.full = false;
    side.backend.listener->room(0);
    REQUIRE(side.backend.sent.size() == 10);
    CHECK(side.backend.flushed);
    for (uint8_t i = 0; i < 10; ++i) CHECK(payload(side.backend.sent[i]) == make_frame(60, i));
    for (int i = 0; i < 10; ++i) CHECK(side.on(1).get_used());
}

TEST_CASE("net: a guest that sends without end gets its turns, and others theirs") {
    NetSide side(kAll);
    for (int i = 0; i < NetSide::kSize; ++i) side.put(make_frame(60));
    side.on(1).publish();
    side.backend.full = true;
    side.net->notify(1);
    side.backend.full = false;
    side.backend.listener->room(0);
    side.run_again();
    CHECK(side.backend.sent.size() == NetSide::kSize);
}

TEST_CASE("net: what comes at once for a frame that is sent is received in the same turn") {
    NetSide side;
    side.give(60);
    side.backend.before_send = [&] { side.backend.offer(make_frame(98, 7)); };
    side.put(make_frame(98));
    side.kick(1);
    CHECK(side.backend.waiting[0].empty());
    CHECK(payload(side.got()) == make_frame(98, 7));
}

TEST_CASE("net: a backend that is costly to ask is asked once for each frame") {
    NetSide side;
    side.backend.at_once = 1;
    side.make_device();
    REQUIRE(side.start() == nullptr);
    side.give(60);
    const uint64_t before = side.backend.receives;
    for (uint8_t i = 0; i < 3; ++i) side.backend.offer(make_frame(98, i));
    side.backend.loop();
    CHECK(side.backend.receives - before == 3);
    for (uint8_t i = 0; i < 3; ++i) CHECK(payload(side.got()) == make_frame(98, i));
}
