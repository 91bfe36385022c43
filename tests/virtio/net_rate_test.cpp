// A network interface with a rate limit, in a time of the test's own.
#include "tests/virtio/loop_pump.h"
#include "tests/virtio/net_rig.h"
// After ours, whose CHECK is another.
#include "tests/catch.h"

using namespace carrel;
using namespace carrel::virtio;
using namespace carrel::virtio::test;

namespace {

constexpr size_t kFrame = 1000;

// Both directions busy for `time`, a millisecond at a time.
struct Passed {
    uint64_t sent = 0, received = 0;
};
Passed pass(NetSide& side, Nanoseconds time) {
    Passed passed;
    for (Nanoseconds t = 0; t < time; t += kMillisecond) {
        side.clock.advance(kMillisecond);
        carrel::test::pump(*side.loop, 3);
        while (side.backend.waiting[0].size() < 32) side.backend.offer(make_frame(kFrame));
        side.backend.loop();
        side.run_again();
        while (!side.got().empty()) {
            ++passed.received;
            side.give(1);
        }
        while (side.on(1).get_used()) side.put(make_frame(kFrame));
        side.kick(1);
        passed.sent += side.backend.sent.size();
        side.backend.sent.clear();
    }
    return passed;
}

void begin(NetSide& side) {
    side.give(60);
    for (int i = 0; i < 16; ++i) side.put(make_frame(kFrame));
}

void close_to(uint64_t got, uint64_t wanted, uint64_t slack) {
    INFO(got << " of " << wanted);
    CHECK(got + slack >= wanted);
    CHECK(got <= wanted + slack);
}

}  // namespace

TEST_CASE("net's limit: each direction has its own, within 2 % over a second") {
    const RateConfig rate = GENERATE(RateConfig{kFrame * 1500, 0, {}}, RateConfig{0, 1500, {}});
    NetSide side(kAll, 1, GENERATE(false, true), rate);
    begin(side);
    const Passed first = pass(side, kSecond);
    close_to(first.sent, 1500, 30);
    close_to(first.received, 1500, 30);
    const Passed second = pass(side, kSecond);
    close_to(second.sent, 1500, 4);
    close_to(second.received, 1500, 4);
    CHECK_FALSE(side.broken);
}

TEST_CASE("net's limit: one direction's doesn't stop the other, and both change while frames wait") {
    NetSide side(kAll);
    begin(side);
    side.receive_throttle->change({.bytes = 0, .operations = 100, .burst = {}});
    Passed passed = pass(side, kSecond);
    close_to(passed.received, 100, 2);
    CHECK(passed.sent > 10'000);
    side.receive_throttle->change({});
    side.send_throttle->change({.bytes = 1, .operations = 0, .burst = {}});
    passed = pass(side, kSecond);
    CHECK(passed.received > 10'000);
    CHECK(passed.sent <= 1);  // the next one is due in 17 minutes
    side.send_throttle->change({.bytes = 0, .operations = 200, .burst = {}});
    passed = pass(side, kSecond);
    close_to(passed.sent, 200, 4);
}

TEST_CASE("net's limit: while nothing may come in, the backend isn't watched and no buffer is taken") {
    NetSide side(kAll, 1, false, {.bytes = 0, .operations = 1, .burst = {}});
    side.give(60);
    for (int i = 0; i < 4; ++i) side.backend.offer(make_frame(kFrame));
    side.backend.loop();  // which aborts where this spins
    CHECK_FALSE(side.got().empty());
    CHECK(side.got().empty());
    CHECK_FALSE(side.backend.watched[0]);
    CHECK(side.backend.waiting[0].size() == 3);
}

TEST_CASE("net's limit: it stops, restarts and is rebuilt while frames wait, at the same rate") {
    NetSide side(kAll, 1, false, {.bytes = 0, .operations = 100, .burst = {}});
    begin(side);
    pass(side, kSecond);
    SECTION("quiesced, nothing passes; resumed, it goes on") {
        REQUIRE(side.net->quiesce(0));
        const Passed none = pass(side, kSecond);
        CHECK(none.sent + none.received == 0);
        side.net->resume();
        side.run_again();
        close_to(pass(side, kSecond).sent, 100, 2);
    }
    SECTION("rebuilt all the time") {
        Passed all;
        for (int i = 0; i < 1000; ++i) {
            REQUIRE(side.rebuild());
            const Passed passed = pass(side, kMillisecond);
            all.sent += passed.sent;
            all.received += passed.received;
        }
        close_to(all.sent, 100, 2);
        close_to(all.received, 100, 2);
    }
    SECTION("reset, nothing passes") {
        side.net->reset();
        CHECK(pass(side, kSecond).sent == 0);
    }
}

TEST_CASE("net's limit: pairs of queues get equal parts") {
    NetSide side(kAll | kNetMultiqueue, 2, false, {.bytes = 0, .operations = 200, .burst = {}});
    REQUIRE(side.command(kNetPairs, kNetPairsSet, {2, 0}) == kNetOk);
    std::array<uint64_t, 2> sent{};
    for (const uint16_t queue : {uint16_t{1}, uint16_t{3}}) {
        for (int i = 0; i < 16; ++i) side.put(make_frame(kFrame), {}, queue);
        side.kick(queue);
    }
    for (int i = 0; i < 2000; ++i) {
        side.clock.advance(kMillisecond);
        carrel::test::pump(*side.loop, 3);
        for (unsigned pair = 0; pair < 2; ++pair) {
            const auto queue = static_cast<uint16_t>(2 * pair + 1);
            while (side.on(queue).get_used()) {
                ++sent[pair];
                side.put(make_frame(kFrame), {}, queue);
            }
            side.kick(queue);
        }
    }
    close_to(sent[0], 200, 20);
    close_to(sent[1], 200, 20);
}
