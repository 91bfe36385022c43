// A network interface and its driver over one memory, without a transport. What is behind it is a fake whose
// frames the test makes and sees.
#pragma once

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <vector>

#include "devices/virtio/net/net.h"
#include "tests/virtio/driver.h"

namespace carrel::virtio::test {

using Bytes = std::vector<uint8_t>;

constexpr MacAddress kOwn = {0x02, 0, 0, 0, 0, 1}, kOther = {0x02, 0, 0, 0, 0, 2},
                     kEverybody = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, kGroup = {0x33, 0x33, 0, 0, 0, 1};

// An Ethernet frame of `length` bytes, its payload told by `seed`.
inline Bytes make_frame(size_t length, uint8_t seed = 1, const MacAddress& to = kOwn) {
    Bytes frame(length);
    for (size_t i = 0; i < length; ++i) frame[i] = static_cast<uint8_t>(seed + i * 7 + i / 251);
    std::copy_n(to.begin(), std::min(to.size(), length), frame.begin());
    return frame;
}

class FakeBackend final : public NetBackend {
  public:
    explicit FakeBackend(unsigned pair_count = 1)
        : pairs_(pair_count), waiting(pair_count), watched(pair_count) {}

    std::string_view name() const override { return "fake"; }
    bool link_up() const override { return up; }
    unsigned pairs() const override { return pairs_; }
    uint64_t features() const override { return offered; }
    uint16_t mtu() const override { return mtu_; }
    void attach(NetListener& new_listener) override { listener = &new_listener; }
    void detach(NetListener& old) override {
        if (listener == &old) listener = nullptr;
    }
    void agree(uint64_t features, unsigned pairs) override {
        agreed = features;
        agreed_pairs = pairs;
    }
    void watch(unsigned pair, bool on) override { watched.at(pair) = on; }
    unsigned most_at_once() const override { return at_once; }
    ssize_t receive(unsigned pair, std::span<const iovec> pieces) override {
        ++receives;
        if (fail_receive != 0) return -fail_receive;
        if (waiting[pair].empty()) return -EAGAIN;
        const Bytes frame = std::move(waiting[pair].front());
        waiting[pair].pop_front();
        size_t done = 0;
        for (const iovec& piece : pieces) {
            const size_t part = std::min(piece.iov_len, frame.size() - done);
            std::memcpy(piece.iov_base, frame.data() + done, part);
            done += part;
        }
        return static_cast<ssize_t>(done);
    }
    ssize_t send(unsigned pair, std::span<const iovec> pieces) override {
        if (full) return -EAGAIN;
        if (fail_send != 0) return -fail_send;
        if (before_send) before_send();
        if (pieces[0].iov_len != sizeof(NetHeader)) std::abort();
        Bytes frame;
        for (const iovec& piece : pieces) {
            const auto* bytes = static_cast<const uint8_t*>(piece.iov_base);
            frame.insert(frame.end(), bytes, bytes + piece.iov_len);
        }
        sent.push_back(frame);
        flushed = false;
        sent_on.insert(pair);
        return static_cast<ssize_t>(frame.size());
    }

    void flush(unsigned) override { flushed = true; }

    // A frame from outside, with a header of zeros or another.
    void offer(const Bytes& frame, const NetHeader& header = {}, unsigned pair = 0) {
        const auto* bytes = reinterpret_cast<const uint8_t*>(&header);
        Bytes all(bytes, bytes + sizeof header);
        all.insert(all.end(), frame.begin(), frame.end());
        waiting[pair].push_back(std::move(all));
    }
    // What the loop does with one that is ready.
    void loop() {
        for (int round = 0; round < 1000; ++round) {
            bool idle = true;
            for (unsigned pair = 0; pair < pairs_; ++pair) {
                if (!watched[pair] || waiting[pair].empty() || listener == nullptr) continue;
                idle = false;
                listener->frames_waiting(pair);
            }
            if (idle) return;
        }
        std::abort();  // it spins
    }

    const unsigned pairs_;
    bool up = true;
    uint64_t offered = kNetGuestOffloads | kNetHostOffloads;
    uint16_t mtu_ = 1500;
    NetListener* listener = nullptr;
    uint64_t agreed = 0;
    unsigned agreed_pairs = 0;
    std::vector<std::deque<Bytes>> waiting;
    std::vector<bool> watched;
    uint64_t receives = 0;
    unsigned at_once = 64;
    bool full = false;
    bool flushed = true;  // since the last frame
    std::function<void()> before_send;
    int fail_send = 0, fail_receive = 0;
    std::vector<Bytes> sent;
    std::set<unsigned> sent_on;
};

constexpr uint64_t kAll = kVersion1 | kIndirectDesc | kNetMac | kNetStatus | kNetMergeable | kNetCtrl |
                          kNetCtrlRx | kNetCtrlRxExtra | kNetCtrlMac | kNetCtrlGuestOffloads | kNetMtu |
                          kNetGuestOffloads | kNetHostOffloads;
constexpr uint64_t kPlain = kVersion1 | kIndirectDesc | kNetMac;

class NetSide final : private DeviceEvents {
  public:
    static constexpr uint16_t kSize = 64;
    static constexpr uint64_t kReceiveAt = kData, kTransmitAt = kData + 0x100000,
                              kControlAt = kData + 0x180000;
    // A buffer that fits a frame of the wire.
    static constexpr uint32_t kBuffer = 1536;

    explicit NetSide(uint64_t accept = kAll, unsigned pairs = 1, bool packed = false,
                     const RateConfig& rate = {})
        : receive_throttle(Throttle::create(*loop, rate).value()),
          send_throttle(Throttle::create(*loop, rate).value()),
          backend(pairs),
          accepted(accept) {
        rings = {.packed = packed, .event_idx = false, .indirect = true};
        if (packed) accepted |= kRingPacked;
        make_device();
        queues = net->queue_sizes().size();
        for (uint16_t i = 0; i < queues; ++i) drivers.push_back(make_driver(*memory, kSize, rings, shift(i)));
        start();
    }
    ~NetSide() override { net.reset(); }

    static uint64_t shift(uint16_t queue) { return queue * uint64_t{0x1000}; }
    void make_device() {
        auto fresh = std::make_unique<Net>(backend, NetIdentity{kOwn, 0},
                                           NetThrottles{*receive_throttle, *send_throttle});
        net = std::move(fresh);  // the new one attaches before the old one goes
        net->connect(*memory, *this);
    }
    const char* start() {
        std::vector<QueueState> states;
        for (const auto& driver : drivers) states.push_back(driver->state());
        return activate(states);
    }
    const char* activate(const std::vector<QueueState>& states) {
        const char* const wrong = net->activate({accepted, states});
        run_again();
        return wrong;
    }
    // Rings as after a boot of the guest.
    void forget_rings() {
        for (uint16_t i = 0; i < queues; ++i) {
            for (const uint64_t area : {kDescriptors, kDriverArea, kDeviceArea})
                memory->write_bytes(Gpa{area + shift(i)}, std::vector<std::byte>(0x1000));
            drivers[i] = make_driver(*memory, kSize, rings, shift(i));
        }
    }
    // As a rebuild of the machine does it.
    bool rebuild() {
        if (!net->quiesce(kSecond)) return false;
        const auto states = net->queue_states();
        ByteWriter writer;
        net->save(writer);
        make_device();
        ByteReader reader(writer.bytes());
        return net->restore(reader).ok() && activate(states) == nullptr;
    }
    uint16_t control() const { return static_cast<uint16_t>(queues - 1); }
    Driver& on(uint16_t queue) { return *drivers[queue]; }
    void kick(uint16_t queue) {
        on(queue).publish();
        net->notify(queue);
        run_again();
    }
    void run_again() {
        while (!again_.empty()) {
            const uint16_t queue = *again_.begin();
            again_.erase(queue);
            net->notify(queue);
        }
    }
    // `count` receive buffers of `length`, each in a place of its own.
    void give(unsigned count, uint32_t length = kBuffer, uint16_t queue = 0) {
        for (unsigned i = 0; i < count; ++i) {
            const uint64_t at = kReceiveAt + given_++ % 64 * 0x4000;
            places_[on(queue).add({{at, length, true}})] = at;
        }
        kick(queue);
    }
    // The next frame that the driver has got, header included; empty: none.
    Bytes got(uint16_t queue = 0) {
        Bytes all;
        uint16_t buffers = 1;
        for (uint16_t i = 0; i < buffers; ++i) {
            const auto used = on(queue).get_used();
            if (!used) return {};
            const Bytes part = bytes(places_[static_cast<uint16_t>(used->id)], used->length);
            all.insert(all.end(), part.begin(), part.end());
            if (i == 0 && part.size() >= sizeof(NetHeader)) buffers = std::max<uint16_t>(1, part[10]);
        }
        return all;
    }
    // Sends a frame from one buffer, header included.
    void put(const Bytes& frame, const NetHeader& header = {}, uint16_t queue = 1) {
        const uint64_t at = kTransmitAt + sends_++ % 16 * 0x4000;
        memory->write(Gpa{at}, header);
        memory->write_bytes(Gpa{at + sizeof header}, std::as_bytes(std::span(frame)));
        on(queue).add({{at, static_cast<uint32_t>(sizeof header + frame.size())}});
    }
    // A command of the control queue, its data; the answer, or 0xff.
    unsigned command(uint8_t command_class, uint8_t number, const Bytes& data) {
        Bytes all{command_class, number};
        all.insert(all.end(), data.begin(), data.end());
        memory->write_bytes(Gpa{kControlAt}, std::as_bytes(std::span(all)));
        memory->write(Gpa{kControlAt + 0x8000}, uint8_t{0xff});
        on(control()).add({{kControlAt, static_cast<uint32_t>(all.size())}, {kControlAt + 0x8000, 1, true}});
        kick(control());
        on(control()).get_used();
        return on(control()).peek<uint8_t>(kControlAt + 0x8000);
    }
    Bytes bytes(uint64_t at, size_t length) const {
        Bytes out(length);
        memory->read_bytes(Gpa{at}, std::as_writable_bytes(std::span(out)));
        return out;
    }
    Bytes config() const {
        Bytes out(12);
        net->read_config(0, std::as_writable_bytes(std::span(out)));
        return out;
    }

    ManualClock clock;
    std::unique_ptr<EventLoop> loop = EventLoop::create(clock).value();  // the throttles'
    std::unique_ptr<Throttle> receive_throttle, send_throttle;
    std::unique_ptr<GuestMemory> memory = make_memory();
    FakeBackend backend;
    uint64_t accepted;
    QueueFeatures rings;
    std::unique_ptr<Net> net;
    size_t queues = 0;
    std::vector<std::unique_ptr<Driver>> drivers;
    uint64_t interrupts = 0, config_changes = 0;
    bool broken = false;

  private:
    void used(uint16_t) override { ++interrupts; }
    void config_changed() override { ++config_changes; }
    void needs_reset() override { broken = true; }
    void again(uint16_t queue) override { again_.insert(queue); }
    std::set<uint16_t> again_;
    std::map<uint16_t, uint64_t> places_;
    uint64_t given_ = 0, sends_ = 0;
};

}  // namespace carrel::virtio::test
