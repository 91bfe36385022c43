// A hostile driver of a vsock device, with programs of the host that come, speak, listen to nothing and go:
// packets of any header and length, buffers of any shape, resets and moves in any order. Connections stay
// within their bounds, every packet's chain comes back, and no more bytes arrive than were sent.
#include <sys/socket.h>
#include <sys/un.h>

#include "devices/virtio/vsock/vsock.h"
#include "tests/fuzz/script.h"
#include "tests/virtio/device_rig.h"
#include "tests/virtio/loop_pump.h"

using namespace carrel;
using namespace carrel::virtio;
using namespace carrel::virtio::test;
using carrel::test::pump;
using carrel::test::require;
using carrel::test::Script;

namespace {

constexpr uint64_t kCid = 3;
constexpr std::array<uint64_t, 6> kCids = {kCid, kCid, kCid, kHostCid, 0, ~uint64_t{0}};
constexpr std::array<uint32_t, 4> kHostPorts = {1024, 1025, 1026, 1u << 30};  // nobody listens at the second
constexpr std::array<uint32_t, 3> kGuestPorts = {5000, 5001, 0xffff'ffff};
constexpr std::array<uint32_t, 6> kLengths = {0, 1, 43, 44, 100, 5000};
constexpr std::array<uint32_t, 4> kRooms = {65536, 6, 0, 0xffff'ffff};
constexpr uint16_t kReceive = 0, kTransmit = 1, kQueues = 3;

// Sockets without paths: one that listens at an address of the kernel's choice, and pairs.
class PairOpener final : public Opener {
  public:
    Result<Fd> open(const std::string&, int, unsigned) override { return os_error(EPERM, "no files here"); }
    void remove(const std::string&) override {}
    Result<Fd> listen(const std::string&) override {
        Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
        const sa_family_t family = AF_UNIX;
        sockaddr address{};
        address.sa_family = family;
        require(::bind(fd.get(), &address, sizeof family) == 0 && ::listen(fd.get(), 16) == 0);
        socklen_t length = sizeof address_;
        require(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address_), &length) == 0);
        length_ = length;
        return fd;
    }
    Result<Fd> connect(const std::string& path) override {
        int ends[2] = {};
        if (path.ends_with("_1025") || ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) != 0)
            return os_error(ECONNREFUSED, "nobody listens");
        MutexLock lock(mutex_);
        made_.emplace_back(ends[1]);
        return Fd(ends[0]);
    }
    std::vector<Fd> take_made() {
        MutexLock lock(mutex_);
        return std::exchange(made_, {});
    }
    Fd call() const {
        Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
        if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address_), length_) != 0) fd.reset();
        return fd;
    }

  private:
    sockaddr_un address_{};
    socklen_t length_ = 0;
    Mutex mutex_;
    std::vector<Fd> made_ GUARDED_BY(mutex_);
};

class Session {
  public:
    explicit Session(Script& script) : script_(script) {
        side_.connect(*device_);
        require(side_.start(kVsockStream) == nullptr);
    }
    ~Session() { device_.reset(); }

    void run() {
        for (unsigned steps = 0; !script_.done() && steps < 100; ++steps) {
            step();
            require(hub_->connections() <= VsockHub::kMostConnections && !side_.broken);
        }
        for (int round = 0; round < 20 && (round < 2 || out_[kTransmit] != 0); ++round)
            offer_room(), turn_loop();
        require(out_[kTransmit] == 0);
        require(heard_ <= said_ && delivered_ <= written_);
    }

  private:
    void step() {
        switch (script_.byte() % 14) {
            case 0:
            case 1:
            case 2:
            case 3: return send_packet();
            case 4: return add_raw();
            case 5: return offer_room();
            case 6: return offer(kReceive, {{kData + 0x100000, script_.pick(kLengths), true}});
            case 7: return call();
            case 8: return speak();
            case 9: return listen();
            case 10: return hang_up();
            case 11: return move_on();
            case 12: return reset();
            default: return turn_loop();
        }
    }
    // What a chain needs counts until all of its queue are back.
    void offer(uint16_t queue, const Buffers& buffers) {
        collect();
        if (out_[queue] + buffers.size() >= DeviceSide::kSize) return;
        side_.drivers[queue]->add(buffers);
        out_[queue] += static_cast<unsigned>(buffers.size());
        ++chains_[queue];
        side_.kick(queue);
        collect();
    }
    void collect() {
        for (uint16_t queue = 0; queue < kQueues; ++queue) {
            while (const auto used = side_.drivers[queue]->get_used()) {
                ++back_[queue];
                if (queue == kReceive && used->length > sizeof(VsockHeader))
                    delivered_ += used->length - sizeof(VsockHeader);
            }
            if (back_[queue] == chains_[queue]) out_[queue] = 0;
        }
    }
    void send_packet() {
        VsockHeader header{script_.pick(kCids),
                           kHostCid,
                           script_.pick(kGuestPorts),
                           script_.pick(kHostPorts),
                           script_.pick(kLengths),
                           kVsockTypeStream,
                           static_cast<uint16_t>(script_.byte() % 9u),
                           script_.byte() % 4u,
                           script_.pick(kRooms),
                           script_.byte() % 8u};
        const uint8_t odd = script_.byte();
        if ((odd & 0x10) != 0) header.type = odd;
        if ((odd & 0x20) != 0) header.len = script_.number<uint32_t>();
        if ((odd & 0x40) != 0) header.dst_cid = odd;
        side_.memory->write(Gpa{kData}, header);
        const uint32_t data = (odd & 0x80) != 0 ? script_.pick(kLengths) : std::min(header.len, 5000u);
        said_ += data;
        Buffers buffers{{kData, sizeof header}};
        if (data != 0) buffers.push_back({kData + sizeof header, data});
        if ((odd & 1) != 0)
            buffers = {{kData, 7}, {kData + 7, static_cast<uint32_t>(sizeof header) - 7 + data}};
        offer(kTransmit, buffers);
    }
    void add_raw() {
        const uint8_t how = script_.byte();
        const auto queue = static_cast<uint16_t>(how % kQueues);
        const bool writable = (how & 0x10) != 0;
        const uint64_t at = writable ? kData + 0x100000 : kData + script_.byte() * uint64_t{0x10};
        const uint32_t length = script_.pick(kLengths);
        if (!writable) said_ += length;
        offer(queue, {{at, length, writable}});
    }
    void offer_room() {
        for (unsigned i = 0; i < 8; ++i) offer(kReceive, {{kData + 0x100000 + i * 0x2000, 0x2000, true}});
    }
    void turn_loop() {
        pump(*loop_, 1);
        side_.run_again();
        for (Fd& fd : opener_.take_made()) hosts_.push_back(std::move(fd));
        collect();
    }
    // A line that is a greeting, or isn't quite.
    void call() {
        Fd fd = opener_.call();
        if (!fd.valid() || hosts_.size() > 32) return;
        const auto line = script_.bytes(script_.byte() % 48u);
        std::string text = (script_.byte() & 1) != 0 ? "CONNECT 5000\n" : "";
        text.append(reinterpret_cast<const char*>(line.data()), line.size());
        (void)::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        written_ += text.size();
        hosts_.push_back(std::move(fd));
        turn_loop();
    }
    Fd* host() { return hosts_.empty() ? nullptr : &hosts_[script_.byte() % hosts_.size()]; }
    void speak() {
        const std::string text(script_.pick(kLengths), 'h');
        const Fd* const fd = host();
        if (fd == nullptr) return;
        const ssize_t sent = ::send(fd->get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0) written_ += static_cast<size_t>(sent);
        turn_loop();
    }
    void listen() {
        std::array<char, 4096> bytes;
        const Fd* const fd = host();
        if (fd == nullptr) return;
        const ssize_t got = ::recv(fd->get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
        // "OK …" is the hub's own.
        if (got > 0 && bytes[0] != 'O') heard_ += static_cast<size_t>(got);
        turn_loop();
    }
    void hang_up() {
        Fd* const fd = host();
        if (fd == nullptr) return;
        if ((script_.byte() & 1) != 0)
            ::shutdown(fd->get(), SHUT_WR);
        else
            hosts_.erase(hosts_.begin() + (fd - hosts_.data()));
        turn_loop();
    }
    void move_on() {
        auto next = std::make_unique<Vsock>(*hub_, *loop_);
        require(side_.move_to(*next, kVsockStream));
        device_ = std::move(next);
        collect();
    }
    void reset() {
        device_->reset();
        side_.forget_rings();
        out_ = {};
        chains_ = back_ = {};
        require(side_.start(kVsockStream) == nullptr);
    }

    Script& script_;
    SystemClock clock_;
    PairOpener opener_;
    std::unique_ptr<EventLoop> loop_ = EventLoop::create(clock_).value();
    std::unique_ptr<VsockHub> hub_ = VsockHub::create(opener_, "v", kCid).value();
    DeviceSide side_;
    std::unique_ptr<Vsock> device_ = std::make_unique<Vsock>(*hub_, *loop_);
    std::vector<Fd> hosts_;
    std::array<unsigned, kQueues> out_{};
    std::array<uint64_t, kQueues> chains_{}, back_{};
    size_t said_ = 0, heard_ = 0, written_ = 0, delivered_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    Script script(std::as_bytes(std::span(data, size)));
    Session(script).run();
    return 0;
}
