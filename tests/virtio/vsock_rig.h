// A vsock device, its hub with real Unix sockets, and the driver's side of both.
#pragma once

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "devices/virtio/vsock/vsock.h"
#include "tests/virtio/device_rig.h"
#include "tests/virtio/loop_pump.h"

namespace carrel::virtio::test {

struct Packet {
    VsockHeader header{};
    std::string data;
};

class VsockSide {
  public:
    static constexpr uint64_t kCid = 3;
    static constexpr uint16_t kReceive = 0, kTransmit = 1, kEvents = 2;
    static constexpr uint64_t kReceiveAt = kData, kTransmitAt = kData + 0x100000;
    static constexpr uint32_t kRoom = 4096;  // of a receive buffer

    explicit VsockSide(Opener* other = nullptr) {
        hub = VsockHub::create(other != nullptr ? *other : opener, path(), kCid).value();
        device = std::make_unique<Vsock>(*hub, *loop);
        side.connect(*device);
        start();
        receive_buffers();
    }
    ~VsockSide() {
        device.reset();
        hub.reset();
        std::filesystem::remove_all(folder);
    }
    std::string path() const { return folder + "/v"; }
    void start() {
        if (side.start(kVsockStream) != nullptr) std::abort();
    }
    // All that the device may have.
    void receive_buffers() {
        for (; posted < DeviceSide::kSize / 2; ++posted) {
            const uint64_t at = kReceiveAt + next_buffer++ % (DeviceSide::kSize / 2) * 0x2000;
            ids[side.drivers[kReceive]->add({{at, kRoom, true}})] = at;
        }
        side.kick(kReceive);
    }
    void send(VsockHeader header, const std::string& data = {}) {
        if (header.len == 0) header.len = static_cast<uint32_t>(data.size());
        side.memory->write(Gpa{kTransmitAt}, header);
        side.memory->write_bytes(Gpa{kTransmitAt + 44}, std::as_bytes(std::span(data)));
        side.drivers[kTransmit]->add({{kTransmitAt, static_cast<uint32_t>(44 + data.size())}});
        side.kick(kTransmit);
        if (!side.drivers[kTransmit]->get_used()) std::abort();
    }
    VsockHeader header(uint16_t op, uint32_t host_port, uint32_t guest_port) const {
        return {kCid, kHostCid, guest_port, host_port, 0, kVsockTypeStream, op, 0, buf_alloc, fwd_cnt};
    }
    void send(uint16_t op, uint32_t host_port, uint32_t guest_port, const std::string& data = {}) {
        send(header(op, host_port, guest_port), data);
    }
    // The next packet for the guest; none within some rounds of the loop: its op is 0.
    Packet next() {
        for (int round = 0; round < 20; ++round) {
            if (const auto used = side.drivers[kReceive]->get_used()) {
                Packet packet;
                const uint64_t at = ids.at(static_cast<uint16_t>(used->id));
                packet.header = side.memory->read<VsockHeader>(Gpa{at}).value();
                if (used->length != 44 + packet.header.len) std::abort();
                packet.data.resize(packet.header.len);
                side.memory->read_bytes(Gpa{at + 44}, std::as_writable_bytes(std::span(packet.data)));
                --posted;
                receive_buffers();
                return packet;
            }
            carrel::test::pump(*loop, 1);
            side.run_again();
        }
        return {};
    }
    uint16_t next_op() { return next().header.op; }
    // The answer to a request for a connection: the connector's thread has to get its turn first.
    uint16_t answered() {
        const Nanoseconds deadline = clock.now() + 10 * kSecond;
        while (clock.now() < deadline)
            if (const uint16_t op = next_op(); op != 0) return op;
        return 0;
    }

    Fd connect() { return opener.connect(path()).value(); }
    // Connected by the convention, from the host's side; the port that the guest sees in `host_port`.
    Fd connect_to_guest(uint32_t guest_port, uint32_t& host_port) {
        Fd fd = connect();
        write(fd, "CONNECT " + std::to_string(guest_port) + "\n");
        const Packet request = next();
        if (request.header.op != kVsockRequest) std::abort();
        host_port = request.header.src_port;
        send(kVsockResponse, host_port, guest_port);
        if (read(fd) != "OK " + std::to_string(host_port) + "\n") std::abort();
        return fd;
    }
    // The other way; the guest's RESPONSE is taken.
    Fd connect_to_host(uint32_t host_port, uint32_t guest_port) {
        const std::string name = path() + "_" + std::to_string(host_port);
        const Fd listening = opener.listen(name).value();
        send(kVsockRequest, host_port, guest_port);
        if (answered() != kVsockResponse) std::abort();
        opener.remove(name);
        return Fd(::accept4(listening.get(), nullptr, nullptr, SOCK_NONBLOCK));
    }
    static bool write(const Fd& fd, const std::string& text) {
        return ::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT) ==
               static_cast<ssize_t>(text.size());
    }
    // What is there; "END" at the end.
    static std::string read(const Fd& fd) {
        std::string text(1 << 20, 0);
        const ssize_t got = ::recv(fd.get(), text.data(), text.size(), MSG_DONTWAIT);
        if (got == 0 || (got < 0 && errno == ECONNRESET)) return "END";
        text.resize(got < 0 ? 0 : static_cast<size_t>(got));
        return text;
    }

    SystemClock clock;
    DirectOpener opener;
    std::string folder = [] {
        std::string name = "/tmp/carrel-vsock-XXXXXX";
        if (::mkdtemp(name.data()) == nullptr) std::abort();
        return name;
    }();
    std::unique_ptr<EventLoop> loop = EventLoop::create(clock).value();
    DeviceSide side;
    std::unique_ptr<VsockHub> hub;
    std::unique_ptr<Vsock> device;
    uint32_t buf_alloc = 65536, fwd_cnt = 0;

  private:
    unsigned posted = 0;
    uint64_t next_buffer = 0;
    std::map<uint16_t, uint64_t> ids;
};

}  // namespace carrel::virtio::test
