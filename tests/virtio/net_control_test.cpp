// The control queue, and what it changes. VIRTIO 1.3, section 5.1.6.5.
#include "tests/virtio/net_rig.h"
// After ours, whose CHECK is another.
#include "tests/catch.h"

using namespace carrel;
using namespace carrel::virtio;
using namespace carrel::virtio::test;

namespace {

// Whether a frame to `to` reaches the driver.
bool reaches(NetSide& side, const MacAddress& to) {
    side.backend.offer(make_frame(60, 1, to));
    side.backend.loop();
    const bool got = !side.got().empty();
    if (got) side.give(1, 4096);
    return got;
}
Bytes table(const std::vector<MacAddress>& unicast, const std::vector<MacAddress>& multicast) {
    Bytes data;
    for (const auto* list : {&unicast, &multicast}) {
        data.insert(data.end(),
                    {static_cast<uint8_t>(list->size()), static_cast<uint8_t>(list->size() >> 8), 0, 0});
        for (const MacAddress& mac : *list) data.insert(data.end(), mac.begin(), mac.end());
    }
    return data;
}
Bytes eight(uint64_t value) {
    Bytes data(8);
    std::memcpy(data.data(), &value, 8);
    return data;
}
std::vector<MacAddress> many(size_t count, uint8_t first) {
    std::vector<MacAddress> list(count, MacAddress{first});
    for (size_t i = 0; i < count; ++i) list[i][5] = static_cast<uint8_t>(i);
    return list;
}

}  // namespace

TEST_CASE("net control: all frames, until the driver says which") {
    NetSide side;
    side.give(40, 4096);
    for (const MacAddress& to : {kOwn, kOther, kEverybody, kGroup}) CHECK(reaches(side, to));
    REQUIRE(side.command(kNetRx, kNetPromiscuous, {0}) == kNetOk);
    CHECK(reaches(side, kOwn));
    CHECK(reaches(side, kEverybody));
    CHECK_FALSE(reaches(side, kOther));
    CHECK_FALSE(reaches(side, kGroup));
    CHECK(side.net->counters().filtered == 2);
    const struct {
        NetRxCommand mode;
        MacAddress to;
        bool reaches;
    } modes[] = {{kNetAllMulticast, kGroup, true},
                 {kNetAllUnicast, kOther, true},
                 {kNetNoBroadcast, kEverybody, false},
                 {kNetNoUnicast, kOwn, false},
                 {kNetPromiscuous, kOther, true}};
    for (const auto& m : modes) {
        INFO(m.mode);
        REQUIRE(side.command(kNetRx, m.mode, {1}) == kNetOk);
        CHECK(reaches(side, m.to) == m.reaches);
        REQUIRE(side.command(kNetRx, m.mode, {0}) == kNetOk);
        CHECK(reaches(side, m.to) != m.reaches);
    }
    REQUIRE(side.command(kNetRx, kNetAllMulticast, {1}) == kNetOk);
    REQUIRE(side.command(kNetRx, kNetNoMulticast, {1}) == kNetOk);
    CHECK_FALSE(reaches(side, kGroup));
}

TEST_CASE("net control: tables of addresses; one that is too long lets all of its kind through") {
    NetSide side;
    side.give(40, 4096);
    REQUIRE(side.command(kNetRx, kNetPromiscuous, {0}) == kNetOk);
    REQUIRE(side.command(kNetMacTable, kNetTableSet, table({kOther}, {kGroup})) == kNetOk);
    CHECK(reaches(side, kOther));
    CHECK(reaches(side, kGroup));
    REQUIRE(side.command(kNetMacTable, kNetTableSet, table({}, {})) == kNetOk);
    CHECK_FALSE(reaches(side, kOther));
    CHECK_FALSE(reaches(side, kGroup));
    REQUIRE(side.command(kNetMacTable, kNetTableSet, table(many(65, 4), many(64, 5))) == kNetOk);
    CHECK(reaches(side, kOther));
    CHECK_FALSE(reaches(side, kGroup));
    REQUIRE(side.command(kNetMacTable, kNetTableSet, table(many(64, 4), many(300, 5))) == kNetOk);
    CHECK_FALSE(reaches(side, kOther));
    CHECK(reaches(side, kGroup));
}

TEST_CASE("net control: another address, until the next reset") {
    NetSide side;
    side.give(40, 4096);
    REQUIRE(side.command(kNetRx, kNetPromiscuous, {0}) == kNetOk);
    REQUIRE(side.command(kNetMacTable, kNetAddressSet, {2, 0, 0, 0, 0, 2}) == kNetOk);
    CHECK(side.config()[5] == 2);
    CHECK(reaches(side, kOther));
    CHECK_FALSE(reaches(side, kOwn));
    REQUIRE(side.rebuild());
    CHECK(side.config()[5] == 2);
    CHECK(reaches(side, kOther));
    CHECK_FALSE(reaches(side, kOwn));
    side.net->reset();
    CHECK(side.config()[5] == 1);
}

TEST_CASE("net control: what the driver takes unfinished, within what it has negotiated") {
    NetSide side((kAll & ~kNetGuestOffloads) | kNetGuestCsum | kNetGuestTso4);
    side.give(40, 4096);
    const uint64_t out = side.accepted & kNetHostOffloads;
    CHECK(side.backend.agreed == (out | kNetGuestCsum | kNetGuestTso4));
    CHECK(side.command(kNetOffloads, kNetOffloadsSet, eight(kNetGuestCsum)) == kNetOk);
    CHECK(side.backend.agreed == (out | kNetGuestCsum));
    CHECK(side.command(kNetOffloads, kNetOffloadsSet, eight(kNetGuestCsum | kNetGuestTso6)) == kNetError);
    CHECK(side.command(kNetOffloads, kNetOffloadsSet, eight(kNetMac)) == kNetError);
    CHECK(side.backend.agreed == (out | kNetGuestCsum));
    REQUIRE(side.rebuild());
    CHECK(side.backend.agreed == (out | kNetGuestCsum));
    NetHeader stale{};
    stale.gso_type = kGsoTcp4;
    side.backend.offer(make_frame(3000), stale);
    side.backend.offer(make_frame(60));
    side.backend.loop();
    CHECK(side.got().size() == 72);
    CHECK(side.net->counters().stale == 1);
}

TEST_CASE("net, 5.1.6.4.1: a driver that takes no unfinished checksums is told of none") {
    NetSide side(kPlain);
    side.give(4);
    NetHeader header{};
    header.flags = kNetNeedsCsum;
    side.backend.offer(make_frame(60), header);
    header.flags = kNetDataValid;
    side.backend.offer(make_frame(61), header);
    side.backend.loop();
    const Bytes got = side.got();
    REQUIRE(got.size() == 73);
    CHECK(got[0] == 0);
    CHECK(side.net->counters().stale == 1);
}

TEST_CASE("net control: pairs of queues come into use and go out of it") {
    NetSide side(kAll | kNetMultiqueue, 4);
    for (uint16_t pair = 0; pair < 4; ++pair) side.give(30, 4096, static_cast<uint16_t>(2 * pair));
    CHECK(side.backend.watched == std::vector<bool>{true, false, false, false});
    CHECK(side.command(kNetPairs, kNetPairsSet, {4, 0}) == kNetOk);
    CHECK(side.backend.agreed_pairs == 4);
    CHECK(side.backend.watched == std::vector<bool>(4, true));
    side.backend.offer(make_frame(60), {}, 3);
    side.backend.loop();
    CHECK(side.got(6).size() == 72);
    side.put(make_frame(60), {}, 5);
    side.kick(5);
    CHECK(side.backend.sent_on == std::set<unsigned>{2});
    // A frame that waits for room when its pair goes out of use isn't left there.
    side.backend.full = true;
    side.put(make_frame(60), {}, 5);
    side.kick(5);
    side.backend.full = false;
    CHECK(side.command(kNetPairs, kNetPairsSet, {1, 0}) == kNetOk);
    CHECK(side.command(kNetPairs, kNetPairsSet, {4, 0}) == kNetOk);
    CHECK(side.backend.sent.size() == 2);
    for (const Bytes& wrong : {Bytes{0, 0}, Bytes{5, 0}, Bytes{0, 0x80}, Bytes{1}, Bytes{}})
        CHECK(side.command(kNetPairs, kNetPairsSet, wrong) == kNetError);
    CHECK(side.command(kNetPairs, kNetPairsSet, {2, 0}) == kNetOk);
    CHECK(side.backend.watched == std::vector<bool>{true, true, false, false});
    REQUIRE(side.rebuild());
    CHECK(side.backend.agreed_pairs == 2);
    side.net->reset();
    side.forget_rings();
    side.start();
    CHECK(side.backend.agreed_pairs == 1);
}

TEST_CASE("net, 5.1.2: without VIRTIO_NET_F_MQ the control queue is the third") {
    NetSide side(kAll, 4);
    side.on(2).add({{NetSide::kControlAt, 3}, {NetSide::kControlAt + 0x8000, 1, true}});
    side.memory->write(Gpa{NetSide::kControlAt}, uint32_t{1} << 16);
    side.kick(2);
    CHECK(side.on(2).get_used()->length == 1);
    CHECK(side.on(2).peek<uint8_t>(NetSide::kControlAt + 0x8000) == kNetOk);
}

TEST_CASE("net control: what wasn't negotiated or isn't whole is an error, and changes nothing") {
    NetSide side(GENERATE(as<uint64_t>{}, kAll, kPlain | kNetCtrl));
    const bool all = side.accepted == kAll;
    const unsigned ok = all ? unsigned{kNetOk} : unsigned{kNetError};
    CHECK(side.command(kNetRx, kNetPromiscuous, {1}) == ok);
    CHECK(side.command(kNetRx, kNetNoBroadcast, {0}) == ok);
    CHECK(side.command(kNetMacTable, kNetTableSet, table({}, {})) == ok);
    CHECK(side.command(kNetMacTable, kNetAddressSet, {2, 0, 0, 0, 0, 1}) == ok);
    CHECK(side.command(kNetOffloads, kNetOffloadsSet, eight(0)) == ok);
    CHECK(side.command(kNetPairs, kNetPairsSet, {1, 0}) == kNetError);  // one pair
    CHECK(side.command(kNetRx, kNetRxCommands, {1}) == kNetError);
    CHECK(side.command(kNetRx, 0xff, {1}) == kNetError);
    CHECK(side.command(kNetRx, kNetPromiscuous, {}) == kNetError);
    CHECK(side.command(kNetMacTable, 2, table({}, {})) == kNetError);
    CHECK(side.command(kNetMacTable, kNetAddressSet, {2, 0, 0, 0, 0}) == kNetError);
    Bytes cut = table({kOther}, {kGroup});
    cut.pop_back();
    CHECK(side.command(kNetMacTable, kNetTableSet, cut) == kNetError);
    CHECK(side.command(kNetMacTable, kNetTableSet, {0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}) == kNetError);
    CHECK(side.command(kNetMacTable, kNetTableSet, {0x56, 0x55, 0x55, 0x55, 1, 2, 3, 4, 5, 6}) == kNetError);
    for (const uint8_t command_class : Bytes{2, 3, 6, 255})
        CHECK(side.command(command_class, 0, {1, 0}) == kNetError);
    CHECK(side.command(kNetOffloads, 1, eight(0)) == kNetError);
    CHECK_FALSE(side.broken);
}

TEST_CASE("net control: chains without room for an answer, or with nothing in them") {
    NetSide side;
    const Buffers wrong[] = {
        {{NetSide::kControlAt, 3}}, {{NetSide::kControlAt, 0, true}}, {{kLowEnd - 1, 2, true}}};
    for (const Buffers& buffers : wrong) {
        side.on(2).add(buffers);
        side.kick(2);
        const auto used = side.on(2).get_used();
        REQUIRE(used);
        CHECK(used->length == 0);
    }
    side.on(2).add({{NetSide::kControlAt + 0x8000, 1, true}});
    side.kick(2);
    CHECK(side.on(2).get_used()->length == 1);
    CHECK(side.on(2).peek<uint8_t>(NetSide::kControlAt + 0x8000) == kNetError);
}
