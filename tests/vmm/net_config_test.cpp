// What may be said after --net.
#include "vmm/model/net_config.h"

#include <set>

#include "tests/catch.h"
#include "vmm/model/machine_config.h"

using namespace carrel;

namespace {

using Kind = NetConfig::Kind;

NetConfig tap(std::string name) {
    NetConfig net;
    net.name = std::move(name);
    return net;
}

}  // namespace

TEST_CASE("--net: the four kinds") {
    CHECK(parse_net("tap=tap0").value() == tap("tap0"));
    const NetConfig fd = parse_net("tapfd=7").value();
    CHECK((fd.kind == Kind::kTapFd && fd.fd == 7));
    CHECK(parse_net("user").value().kind == Kind::kUser);
    const NetConfig lan = parse_net("switch=lan").value();
    CHECK((lan.kind == Kind::kSwitch && lan.name == "lan"));
}

TEST_CASE("--net: address, MTU and queues, in any order") {
    NetConfig wanted = tap("tap0");
    wanted.mac = MacAddress{0x02, 0x00, 0x5e, 0x10, 0xab, 0xff};
    wanted.mtu = 9000;
    wanted.queues = 4;
    CHECK(parse_net("tap=tap0,mac=02:00:5e:10:AB:ff,mtu=9000,queues=4").value() == wanted);
    CHECK(parse_net("tap=tap0,queues=4,mtu=9000,mac=02:00:5e:10:ab:ff").value() == wanted);
    CHECK(mac_text(*wanted.mac) == "02:00:5e:10:ab:ff");
    CHECK(parse_net("user,mtu=68").value().mtu == 68);
    CHECK(parse_net("user,mtu=65535").value().mtu == 65535);
}

TEST_CASE("--net: what each direction may do in a second") {
    CHECK_FALSE(parse_net("user").value().rate.limits());
    const NetConfig net = parse_net("tap=tap0,bps=10M,ops=1000,burst=50ms,queues=2").value();
    CHECK(net.rate == RateConfig{10 * kMiB, 1000, 50 * kMillisecond});
}

TEST_CASE("--net: what isn't understood is refused by its word, never ignored") {
    for (const char* text : {"",
                             ",",
                             "tap",
                             "tap=",
                             "tap0",
                             "tap=sixteen_letters_",
                             "tap=a/b",
                             "tap=tap%d",
                             "tap=..",
                             "TAP=a",
                             "tapfd=",
                             "tapfd=2",
                             "tapfd=-1",
                             "tapfd=x",
                             "tapfd=3x",
                             "user,bps=0",
                             "user,ops=many",
                             "user,burst=1s",
                             "user,ops=1,burst=1ms",
                             "tapfd=4294967299",
                             "user=",
                             "user=1",
                             "switch",
                             "switch=",
                             "user,",
                             "user,mac=",
                             "user,mac=02:00:5e:10:00",
                             "user,mac=02:00:5e:10:00:0g",
                             "user,mac=02-00-5e-10-00-01",
                             "user,mac=01:00:5e:10:00:01",
                             "user,mac=00:00:00:00:00:00",
                             "user,mac=ff:ff:ff:ff:ff:ff",
                             "user,mac=+2:00:5e:10:00:01",
                             "user,mac=02:00:5e:10:00:01:",
                             "user,mtu=67",
                             "user,mtu=65536",
                             "user,mtu=1500.",
                             "user,mtu=",
                             "tap=a,queues=0",
                             "tap=a,queues=9",
                             "user,queues=2",
                             "tapfd=3,queues=2",
                             "switch=a,queues=2",
                             "user,vhost",
                             "user, mtu=1500"}) {
        INFO("'" << text << "'");
        const auto result = parse_net(text);
        REQUIRE_FALSE(result.ok());
        CHECK(result.error().fault == Fault::kUsage);
        CHECK(result.error().what.starts_with("--net: "));
        CHECK_FALSE(result.error().advice.empty());
    }
    CHECK(parse_net("user,wrong").error().what.find("'wrong'") != std::string::npos);
}

TEST_CASE("--net: ports of the host's lead to the guest's") {
    using Protocol = PortForward::Protocol;
    const NetConfig net = parse_net("user,tcp=8080:80,tcp=22,udp=127.0.0.1/53:5353,tcp=::1/8080:80").value();
    CHECK(net.forwards == std::vector<PortForward>{{Protocol::kTcp, "", 8080, 80},
                                                   {Protocol::kTcp, "", 22, 22},
                                                   {Protocol::kUdp, "127.0.0.1", 53, 5353},
                                                   {Protocol::kTcp, "::1", 8080, 80}});
    for (const char* text : {"user,tcp=",           "user,tcp=0",
                             "user,tcp=65536",      "user,tcp=22:",
                             "user,tcp=:22",        "user,tcp=22:0",
                             "user,tcp=22:23:24",   "user,tcp=+22",
                             "user,tcp= 22",        "user,tcp=22-25",
                             "user,udp=/22",        "user,udp=localhost/22",
                             "user,udp=127.0.0.1/", "user,udp=127.0.0.1:22",
                             "user,udp=%eth0/22",   "user,tcp=22,tcp=22:23",
                             "user,tcp=~22",        "user,tcp=all",
                             "tap=a,tcp=22",        "switch=a,udp=22"}) {
        INFO("'" << text << "'");
        const auto result = parse_net(text);
        REQUIRE_FALSE(result.ok());
        CHECK(result.error().fault == Fault::kUsage);
        CHECK(result.error().what.starts_with("--net: "));
        CHECK_FALSE(result.error().advice.empty());
    }
    CHECK(parse_net("user,tcp=22,udp=22").ok());
}

TEST_CASE("--net: a random address is local, one interface's, and another each time") {
    std::set<MacAddress> seen;
    for (int i = 0; i < 64; ++i) {
        const MacAddress mac = random_mac().value();
        CHECK((mac[0] & 3) == 2);
        seen.insert(mac);
    }
    CHECK(seen.size() == 64);
}

TEST_CASE("--net: at most eight") {
    MachineConfig config;
    config.nets.resize(8);
    CHECK(check(config).ok());
    config.nets.resize(9);
    CHECK(check(config).error().what.starts_with("--net: "));
}
