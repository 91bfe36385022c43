#include "devices/virtio/vsock/vsock.h"

#include <fcntl.h>

#include "tests/catch.h"
#include "tests/virtio/vsock_rig.h"

using namespace carrel;
using namespace carrel::virtio;
using namespace carrel::virtio::test;

namespace {
constexpr uint32_t kPort = 1024, kGuest = 5000;
}

TEST_CASE("the host connects by the convention, both speak, and the guest's end is seen") {
    VsockSide v;
    uint32_t port = 0;
    const Fd fd = v.connect_to_guest(kGuest, port);
    CHECK(port >= uint32_t{1} << 30);
    v.write(fd, "hello");
    const Packet packet = v.next();
    CHECK(packet.header.op == kVsockData);
    CHECK(packet.data == "hello");
    CHECK(packet.header.dst_cid == VsockSide::kCid);
    CHECK(packet.header.src_cid == kHostCid);
    CHECK(packet.header.buf_alloc == VsockConnection::kBuffer);
    v.send(kVsockData, port, kGuest, "answer");
    CHECK(v.read(fd) == "answer");
    VsockHeader end = v.header(kVsockShutdown, port, kGuest);
    end.flags = kNoSend;
    v.send(end);
    CHECK(v.read(fd) == "END");
    v.write(fd, "still");
    CHECK(v.next().data == "still");
    end.flags = kNoReceive;
    v.send(end);
    CHECK(v.next_op() == kVsockReset);
    CHECK(v.hub->connections() == 0);
}

TEST_CASE("bytes behind the greeting are the guest's, and a greeting may come in pieces") {
    VsockSide v;
    const Fd fd = v.connect();
    v.write(fd, "CONN");
    CHECK(v.next_op() == 0);
    v.write(fd, "ECT 5000\nfirst");
    const Packet request = v.next();
    REQUIRE(request.header.op == kVsockRequest);
    CHECK(request.header.dst_port == kGuest);
    CHECK(v.next_op() == 0);
    v.send(kVsockResponse, request.header.src_port, kGuest);
    CHECK(v.next().data == "first");
}

TEST_CASE("what isn't a greeting is closed, and so is one to which the guest doesn't listen") {
    VsockSide v;
    for (const char* const text :
         {"CONNECT \n", "CONNECT 4294967296\n", "CONNECT 1 \n", "connect 1\n", "\n", "CONNECT -1\n",
          "CONNECT 000000000000000000000000000000000000000000000000000000001"}) {
        const Fd fd = v.connect();
        v.write(fd, text);
        CHECK(v.next_op() == 0);
        CHECK(v.read(fd) == "END");
    }
    const Fd fd = v.connect();
    v.write(fd, "CONNECT 5000\n");
    const Packet request = v.next();
    v.send(kVsockReset, request.header.src_port, kGuest);
    CHECK(v.read(fd) == "END");
    CHECK(v.hub->connections() == 0);
}

TEST_CASE("the guest connects to who listens, and gets a reset where nobody does") {
    VsockSide v;
    v.send(kVsockRequest, kPort, kGuest);
    CHECK(v.answered() == kVsockReset);
    const Fd fd = v.connect_to_host(kPort, kGuest);
    v.send(kVsockData, kPort, kGuest, "to the host");
    CHECK(v.read(fd) == "to the host");
    v.write(fd, "to the guest");
    CHECK(v.next().data == "to the guest");
}

TEST_CASE("the end of the host's program is told, half or whole") {
    VsockSide v;
    Fd fd = v.connect_to_host(kPort, kGuest);
    v.write(fd, "last words");
    ::shutdown(fd.get(), SHUT_WR);
    CHECK(v.next().data == "last words");
    Packet packet = v.next();
    CHECK(packet.header.op == kVsockShutdown);
    CHECK(packet.header.flags == kNoSend);
    v.send(kVsockData, kPort, kGuest, "heard");
    CHECK(v.read(fd) == "heard");
    fd.reset();
    packet = v.next();
    CHECK(packet.header.op == kVsockShutdown);
    CHECK(packet.header.flags == kNeither);
    CHECK(v.next_op() == 0);  // once
    v.send(kVsockReset, kPort, kGuest);
    CHECK(v.hub->connections() == 0);
}

TEST_CASE("the guest's credit is kept, also where its counters wrap, and asked for once") {
    VsockSide v;
    v.buf_alloc = 6;
    const Fd fd = v.connect_to_host(kPort, kGuest);
    v.write(fd, "0123456789");
    CHECK(v.next().data == "012345");
    CHECK(v.next_op() == kVsockCreditRequest);
    CHECK(v.next_op() == 0);
    v.fwd_cnt = 2;
    v.send(kVsockCreditUpdate, kPort, kGuest);
    CHECK(v.next().data == "67");
    CHECK(v.next_op() == kVsockCreditRequest);
    // More forwarded than was ever sent: nothing is trusted to it.
    v.fwd_cnt = 100;
    v.send(kVsockCreditUpdate, kPort, kGuest);
    CHECK(v.next_op() == 0);
    v.fwd_cnt = 8;
    v.send(kVsockCreditUpdate, kPort, kGuest);
    CHECK(v.next().data == "89");

    VsockConnection wrapped;
    wrapped.sent = 5;
    wrapped.peer_forwarded = 0xffff'fffd;
    wrapped.peer_buffer = 10;
    CHECK(wrapped.credit() == 2);
    wrapped.peer_buffer = 8;
    CHECK(wrapped.credit() == 0);
    wrapped.peer_buffer = 7;
    CHECK(wrapped.credit() == 0);
}

TEST_CASE(
    "a program that doesn't read stops its own connection; a driver that sends on all the same is reset") {
    VsockSide v;
    const Fd slow = v.connect_to_host(kPort, kGuest);
    const Fd other = v.connect_to_host(kPort + 1, kGuest);
    const std::string block(4096, 'x');
    uint32_t sent = 0, told = 0;
    // As a driver that minds its credit.
    for (uint32_t credit = VsockConnection::kBuffer; credit >= block.size();) {
        v.send(kVsockData, kPort, kGuest, block);
        sent += 4096;
        for (Packet p = v.next(); p.header.op == kVsockCreditUpdate; p = v.next()) told = p.header.fwd_cnt;
        credit = VsockConnection::kBuffer - (sent - told);
    }
    v.send(kVsockData, kPort + 1, kGuest, "not stopped");
    CHECK(v.read(other) == "not stopped");
    // Read, it goes on.
    size_t got = 0;
    std::string text;
    for (int i = 0; i < 100 && got < sent; ++i) {
        text = v.read(slow);
        got += text.size();
        v.next();
    }
    CHECK(got == sent);
    for (unsigned i = 0; i < 4096; ++i) {
        v.send(kVsockData, kPort, kGuest, block);
        const uint16_t op = v.next_op();
        if (op == kVsockReset) break;
    }
    CHECK(v.hub->connections() == 1);
    CHECK(v.next_op() == 0);
}

TEST_CASE("hostile headers get a reset or nothing, and a reset never gets one") {
    VsockSide v;
    const Fd fd = v.connect_to_host(kPort, kGuest);
    const auto answer = [&](auto change, uint16_t op = kVsockData) {
        VsockHeader header = v.header(op, 7, 8);
        change(header);
        v.send(header);
        return v.next_op();
    };
    CHECK(answer([](auto&) {}) == kVsockReset);
    CHECK(answer([](auto&) {}, kVsockReset) == 0);
    CHECK(answer([](auto& h) { h.src_cid = 4; }) == 0);
    CHECK(answer([](auto& h) { h.dst_cid = 5; }, kVsockRequest) == kVsockReset);
    CHECK(answer([](auto& h) { h.type = 2; }, kVsockRequest) == kVsockReset);
    CHECK(answer([](auto& h) { h.len = 1; }) == kVsockReset);
    CHECK(answer([](auto& h) { h.len = 0xffff'ffff; }) == kVsockReset);
    for (const uint16_t op : {kVsockResponse, kVsockShutdown, kVsockCreditUpdate, kVsockCreditRequest})
        CHECK(answer([](auto&) {}, op) == kVsockReset);
    CHECK(v.hub->connections() == 1);
    // On the connection that there is.
    CHECK(answer([](auto& h) { h.dst_port = kPort, h.src_port = kGuest, h.op = kVsockCreditRequest; }) ==
          kVsockCreditUpdate);
    CHECK(answer([](auto& h) { h.dst_port = kPort, h.src_port = kGuest, h.op = 99; }) == kVsockReset);
    CHECK(v.read(fd) == "END");
    const Fd again = v.connect_to_host(kPort, kGuest);
    v.send(kVsockRequest, kPort, kGuest);  // ports in use
    CHECK(v.next_op() == kVsockReset);
    CHECK(v.hub->connections() == 0);
    // Too short for a header.
    v.side.drivers[VsockSide::kTransmit]->add({{VsockSide::kTransmitAt, 43}});
    v.side.kick(VsockSide::kTransmit);
    CHECK(v.side.drivers[VsockSide::kTransmit]->get_used() == Used{0, 0});
    CHECK_FALSE(v.side.broken);
}

TEST_CASE("connections are bounded, whoever opens them") {
    VsockSide v;
    std::vector<Fd> fds;
    for (size_t i = 0; i < VsockHub::kMostConnections; ++i) {
        auto fd = v.opener.connect(v.path());
        if (!fd.ok()) carrel::test::pump(*v.loop);
        if (fd.ok()) fds.push_back(std::move(*fd));
    }
    while (v.hub->connections() < VsockHub::kMostConnections) {
        if (auto fd = v.opener.connect(v.path()); fd.ok()) fds.push_back(std::move(*fd));
        carrel::test::pump(*v.loop);
    }
    v.send(kVsockRequest, kPort, kGuest);
    CHECK(v.next_op() == kVsockReset);
    fds.clear();
    carrel::test::pump(*v.loop, 100);
    CHECK(v.hub->connections() == 0);
    uint32_t port = 0;
    v.connect_to_guest(kGuest, port);
}

TEST_CASE("connections go on in the device that takes over; in another process the driver is told") {
    VsockSide v;
    const Fd fd = v.connect_to_host(kPort, kGuest);
    auto next = std::make_unique<Vsock>(*v.hub, *v.loop);  // attached before the old one goes
    REQUIRE(v.side.move_to(*next, kVsockStream));
    v.device = std::move(next);
    v.write(fd, "still there");
    CHECK(v.next().data == "still there");
    v.send(kVsockData, kPort, kGuest, "yes");
    CHECK(v.read(fd) == "yes");

    v.side.drivers[VsockSide::kEvents]->add({{kData + 0x180000, 4, true}});
    v.side.kick(VsockSide::kEvents);
    CHECK_FALSE(v.side.drivers[VsockSide::kEvents]->get_used());
    auto elsewhere = VsockHub::create(v.opener, v.path() + "2", VsockSide::kCid).value();
    auto other = std::make_unique<Vsock>(*elsewhere, *v.loop);
    REQUIRE(v.side.move_to(*other, kVsockStream));
    CHECK(v.side.drivers[VsockSide::kEvents]->get_used() == Used{0, 4});
    CHECK(v.side.memory->read<uint32_t>(Gpa{kData + 0x180000}) == kTransportReset);
    v.device = std::move(other);
    std::swap(v.hub, elsewhere);
    v.send(kVsockData, kPort, kGuest, "gone");
    CHECK(v.next_op() == kVsockReset);
    v.device.reset();  // before its hub
    v.hub.reset();
}

TEST_CASE("rule 5: a reset of the driver closes what it knew") {
    VsockSide v;
    const Fd fd = v.connect_to_host(kPort, kGuest);
    v.device->reset();
    CHECK(v.read(fd) == "END");
    CHECK(v.hub->connections() == 0);
}

TEST_CASE(
    "a socket's path: a dead one is taken over, a living one and a file are refused, none is left behind") {
    VsockSide v;
    CHECK_FALSE(VsockHub::create(v.opener, v.path(), 4).ok());
    const std::string dead = v.folder + "/dead", file = v.folder + "/file";
    { const Fd listening = v.opener.listen(dead).value(); }
    REQUIRE(std::filesystem::exists(dead));
    CHECK(VsockHub::create(v.opener, dead, 4).ok());
    CHECK_FALSE(std::filesystem::exists(dead));
    CHECK(v.opener.open(file, O_CREAT | O_WRONLY).ok());
    CHECK_FALSE(VsockHub::create(v.opener, file, 4).ok());
    CHECK(std::filesystem::exists(file));
    CHECK_FALSE(v.opener.listen(std::string(108, 'x')).ok());
}
