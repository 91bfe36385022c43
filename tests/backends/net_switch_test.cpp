#include "devices/backends/net_switch.h"

#include <random>

#include "tests/backends/helpers.h"
#include "tests/backends/net_end.h"
#include "tests/virtio/loop_pump.h"

namespace carrel {
namespace {

using namespace test;

MacAddress mac(int last) {
    return {2, 0, 0, 0, 0, static_cast<uint8_t>(last)};
}
constexpr MacAddress kAll{0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
constexpr MacAddress kMany{0x33, 0x33, 0, 0, 0, 1};  // IPv6's all nodes

Bytes frame(const MacAddress& to, const MacAddress& from, size_t size = 60) {
    Bytes bytes = frame_of(size);
    std::memcpy(bytes.data(), to.data(), to.size());
    std::memcpy(bytes.data() + to.size(), from.data(), from.size());
    return bytes;
}

// Guests 0, 1, … with the addresses mac(0), mac(1), ….
struct Rig {
    ManualClock clock;
    std::unique_ptr<EventLoop> loop = EventLoop::create(clock).value();
    NetSwitches switches;
    std::vector<std::unique_ptr<SwitchPort>> ports;
    std::array<NetEnd, 4> guests;

    explicit Rig(int count) {
        for (int i = 0; i < count; ++i) add("lan", i);
    }
    void add(const std::string& name, int number) {
        ports.push_back(switches.add_port(*loop, name, mac(number), 0).value());
        guests[ports.size() - 1].connect(*ports.back());
    }
    void turn() { pump(*loop); }
    std::vector<size_t> counts() {
        turn();
        std::vector<size_t> all;
        for (size_t i = 0; i < ports.size(); ++i) all.push_back(guests[i].got.size());
        return all;
    }
};

using Counts = std::vector<size_t>;

}  // namespace

TEST_CASE("switch: a frame goes to the guest that it is for, whole") {
    Rig rig(3);
    for (const size_t size : {size_t{14}, size_t{60}, size_t{9014}, size_t{kLongestFrame}}) {
        const Bytes sent = frame(mac(1), mac(0), size);
        CHECK(rig.guests[0].send(sent) == static_cast<ssize_t>(size + sizeof(NetHeader)));
        rig.turn();
        REQUIRE(rig.guests[1].got.size() == 1);
        CHECK(rig.guests[1].got.front() == sent);
        rig.guests[1].got.clear();
    }
    CHECK(rig.counts() == Counts{0, 0, 0});
    CHECK(rig.guests[1].clean);
    CHECK(rig.guests[0].send(Bytes(13)) == -EMSGSIZE);
    CHECK(rig.guests[0].send(Bytes(kLongestFrame + 1)) == -EMSGSIZE);
}

TEST_CASE("switch: what is for many, and what is for nobody known, goes to all others") {
    Rig rig(3);
    rig.guests[0].send(frame(kAll, mac(0)));
    CHECK(rig.counts() == Counts{0, 1, 1});
    rig.guests[0].send(frame(kMany, mac(0)));
    CHECK(rig.counts() == Counts{0, 2, 2});
    rig.guests[0].send(frame(mac(99), mac(0)));
    CHECK(rig.counts() == Counts{0, 3, 3});
    rig.guests[2].send(frame(kAll, mac(99)));  // there it is
    CHECK(rig.counts() == Counts{1, 4, 3});
    rig.guests[0].send(frame(mac(99), mac(0)));
    CHECK(rig.counts() == Counts{1, 4, 4});
    rig.clock.advance(MacTable::kAge + 1);  // and now it may be anywhere
    rig.guests[0].send(frame(mac(99), mac(0)));
    CHECK(rig.counts() == Counts{1, 5, 5});
}

TEST_CASE("switch: nothing comes back to its sender, and what bridges say to each other goes nowhere") {
    Rig rig(2);
    rig.guests[0].send(frame(mac(0), mac(0)));
    rig.guests[0].send(frame(mac(50), mac(0)));
    CHECK(rig.counts() == Counts{0, 1});
    rig.guests[0].send(frame(kAll, mac(50)));
    rig.guests[0].send(frame(mac(50), mac(0)));
    CHECK(rig.counts() == Counts{0, 2});
    rig.guests[0].send(frame({0x01, 0x80, 0xc2, 0, 0, 0x0e}, mac(0)));
    CHECK(rig.counts() == Counts{0, 2});
    rig.guests[0].send(frame({0x01, 0x80, 0xc2, 0, 0, 0x10}, mac(0)));
    CHECK(rig.counts() == Counts{0, 3});
}

TEST_CASE("switch: a frame from another guest's address, or from a group's, is dropped and counted") {
    Rig rig(3);
    rig.guests[0].send(frame(mac(2), mac(1)));
    rig.guests[0].send(frame(mac(2), kMany));
    CHECK(rig.counts() == Counts{0, 0, 0});
    CHECK(rig.ports[0]->losses().spoofed == 2);
    rig.guests[2].send(frame(mac(1), mac(2)));
    CHECK(rig.counts() == Counts{0, 1, 0});
}

TEST_CASE("switch: a flood of addresses doesn't make it send the others' frames to everybody") {
    Rig rig(3);
    rig.guests[1].send(frame(kAll, mac(77)));  // a second address of guest 1's
    rig.turn();
    for (int i = 0; i < 10'000; ++i) {
        MacAddress made = mac(0);
        made[1] = 1;
        made[2] = static_cast<uint8_t>(i >> 8);
        made[3] = static_cast<uint8_t>(i);
        rig.guests[0].send(frame(mac(0), made));
    }
    const Counts before = rig.counts();
    rig.guests[2].send(frame(mac(77), mac(2)));
    rig.guests[2].send(frame(mac(1), mac(2)));
    CHECK(rig.counts() == Counts{before[0], before[1] + 2, before[2]});
}

TEST_CASE("switch: a guest that doesn't read loses frames, and holds nobody up") {
    Rig rig(3);
    rig.guests[1].want(false);
    for (int i = 0; i < 10'000; ++i) REQUIRE(rig.guests[0].send(frame(kAll, mac(0), 1500)) > 0);
    rig.guests[2].got.clear();
    for (int i = 0; i < 100; ++i) {
        rig.guests[0].send(frame(kAll, mac(0), 1500));
        if (i % 10 == 0) rig.turn();
    }
    rig.turn();
    CHECK(rig.guests[2].got.size() >= 100);
    CHECK(rig.guests[1].got.empty());
    CHECK(rig.guests[1].told == 0);
    CHECK(rig.ports[1]->losses().unread > 9000);
    CHECK(rig.ports[1]->losses().unread < 10'000);
    // What found room comes when it reads again, the oldest first, a few a turn.
    rig.guests[1].want(true);
    CHECK(pump_until(*rig.loop,
                     [&] { return rig.guests[1].got.size() + rig.ports[1]->losses().unread == 10'100; }));
}

TEST_CASE(
    "switch: switches of other names have nothing to do with each other; one goes with its last guest") {
    Rig rig(2);
    rig.add("other", 0);
    rig.guests[0].send(frame(kAll, mac(0)));
    CHECK(rig.counts() == Counts{0, 1, 0});

    const auto refused = rig.switches.add_port(*rig.loop, "lan", mac(1), 0);
    REQUIRE(!refused.ok());
    CHECK(refused.error().what == "--net: mac=02:00:00:00:00:01 is another guest's on switch=lan");
    rig.ports[1].reset();
    rig.ports[1] = rig.switches.add_port(*rig.loop, "lan", mac(1), 1400).value();
    CHECK(rig.ports[1]->mtu() == 1400);
    CHECK(rig.ports[1]->name() == "lan");
    rig.guests[1].connect(*rig.ports[1]);
    rig.guests[1].send(frame(mac(0), mac(1)));
    CHECK(rig.counts() == Counts{1, 1, 0});
    rig.ports.clear();
    pump(*rig.loop);
}

TEST_CASE("switch: a device that comes takes over from the one before, with what waits") {
    Rig rig(2);
    rig.guests[1].want(false);
    rig.guests[0].send(frame(mac(1), mac(0)));
    rig.turn();
    NetEnd next;
    next.connect(*rig.ports[1]);
    rig.ports[1]->detach(rig.guests[1]);
    rig.turn();
    CHECK(next.got.size() == 1);
    CHECK(rig.guests[1].got.empty());
}

TEST_CASE("a queue of frames gives back what it got, in order, whatever the sizes") {
    std::mt19937 random(4);
    for (const size_t capacity : {size_t{300}, size_t{1000}, size_t{5000}}) {
        FrameQueue queue(capacity);
        std::vector<Bytes> expected;
        std::uniform_int_distribution<size_t> sizes(14, capacity / 2);
        size_t refused = 0;
        for (int i = 0; i < 20'000; ++i) {
            const Bytes one = frame_of(sizes(random));
            if (queue.push(pieces_of(one, 3), one.size())) {
                expected.push_back(one);
            } else {
                ++refused;
            }
            for (size_t take = random() % 3; take != 0 && !queue.empty(); --take) {
                REQUIRE(std::ranges::equal(queue.front(), expected.front()));
                expected.erase(expected.begin());
                queue.pop();
            }
            REQUIRE(queue.empty() == expected.empty());
        }
        CHECK(refused > 0);
        CHECK(refused < 15'000);
    }
}

}  // namespace carrel
