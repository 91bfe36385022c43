// Net: a network interface. VIRTIO 1.3, section 5.1.
//
// Frames go between the backend and guest memory: by one system call each where the backend is a tap, never
// through a buffer of this device's. A pair of queues belongs to one of the backend's; which frame comes on
// which is the backend's to say.
//
// In: chains are taken as frames come, which is looked for also when the guest's own have been sent: what
// answers at once has answered then. Where there are none, the backend isn't watched until the guest has
// made some available, so the host's queue fills up and drops, and nothing here spins or grows.
// Out: a frame that the backend has no room for keeps its chain, and those behind it wait in the ring.
//
// A rate limit counts frames and their bytes, each direction by itself: those that the guest was given, and
// those that it has sent. While no more may go out they wait in their ring; while none may come in the
// backend isn't watched.
//
// Missing: VLAN filters, VIRTIO_NET_F_GUEST_ANNOUNCE, RSS and hash reports, notification coalescing.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "devices/backends/net_backend.h"
#include "devices/virtio/net/net_control.h"
#include "devices/virtio/net/net_counters.h"
#include "devices/virtio/net/receive_buffers.h"
#include "devices/virtio/queued_device.h"
#include "devices/virtio/throttle.h"

namespace carrel::virtio {

// What the guest is told, besides what the backend says.
struct NetIdentity {
    MacAddress mac{};
    uint16_t mtu = 0;  // 0: the backend's
};

// Of the same loop as the backend.
struct NetThrottles {
    Throttle& receive;
    Throttle& send;
};

class Net final : public QueuedDevice, private NetListener, private ThrottleListener {
  public:
    // `backend` and `throttles` outlive it. Made and destroyed on the backend's thread, or while that doesn't
    // run.
    Net(NetBackend& backend, const NetIdentity& identity, const NetThrottles& throttles);
    ~Net() override;

    std::string_view name() const override { return "virtio-net"; }
    DeviceType type() const override { return DeviceType::kNet; }
    uint64_t features() const override;
    std::span<const uint16_t> queue_sizes() const override { return queue_sizes_; }
    void read_config(uint64_t offset, std::span<std::byte> data) override EXCLUDES(mutex_);
    void write_config(uint64_t, std::span<const std::byte>) override {}
    void save(ByteWriter& writer) const override EXCLUDES(mutex_);
    Result<void> restore(ByteReader& reader) override EXCLUDES(mutex_);

    NetCounters counters() const EXCLUDES(mutex_);
    const NetBackend& backend() const { return backend_; }

  private:
    static constexpr uint16_t kQueueSize = 256;
    static constexpr uint16_t kControlSize = 64;
    static constexpr unsigned kMostFrames = 64;  // in one turn, so that other devices have theirs

    // 5.1.2: receiveq1, transmitq1, receiveq2, …, and the control queue behind those that are negotiated.
    struct Pair {
        explicit Pair(uint16_t first) : receive(first), transmit(static_cast<uint16_t>(first + 1)) {}
        const uint16_t receive, transmit;
        ReceiveBuffers buffers{kQueueSize};
        size_t given = 0;                        // chains that the driver had with us when it last rang
        std::optional<DescriptorChain> waiting;  // a frame that found no room
    };

    // QueuedDevice
    bool turn(uint16_t queue) override REQUIRES(mutex_);
    void serve(uint16_t queue, DescriptorChain chain) override REQUIRES(mutex_);
    bool drain(bool abandon, Nanoseconds limit) override REQUIRES(mutex_);
    // NetListener
    void frames_waiting(unsigned pair) override EXCLUDES(mutex_);
    void room(unsigned pair) override EXCLUDES(mutex_);
    void link_changed() override EXCLUDES(mutex_);
    // ThrottleListener
    void go_on() override EXCLUDES(mutex_);

    uint16_t control_queue() const REQUIRES(mutex_);
    void agree() REQUIRES(mutex_);
    void receive(unsigned index) REQUIRES(mutex_);
    bool provide(Pair& pair) REQUIRES(mutex_);
    uint32_t room_wanted() const REQUIRES(mutex_);
    void deliver(Pair& pair, size_t bytes) REQUIRES(mutex_);
    bool is_stale(const NetHeader& header) const REQUIRES(mutex_);
    bool transmit(unsigned index) REQUIRES(mutex_);
    bool send_frames(unsigned index) REQUIRES(mutex_);
    void count_sent(ssize_t sent) REQUIRES(mutex_);
    size_t lay_out(const DescriptorChain& chain) REQUIRES(mutex_);

    NetBackend& backend_;
    const NetIdentity identity_;
    const NetThrottles throttles_;
    const unsigned most_at_once_;  // frames in a turn, so that other devices have theirs
    std::vector<uint16_t> queue_sizes_;
    size_t first_ = 0;  // of the pairs, when a throttle opens
    NetCounters counters_ GUARDED_BY(mutex_);
    NetControl control_ GUARDED_BY(mutex_);
    std::vector<std::unique_ptr<Pair>> pairs_ GUARDED_BY(mutex_);
    bool agreed_ GUARDED_BY(mutex_) = false;  // the backend knows what the driver has negotiated
    // The beginning of the frame that is being sent: whoever forwards by it must not find another later.
    struct Start {
        NetHeader header;
        EthernetHeader ethernet;
    };
    Start start_ GUARDED_BY(mutex_){};
    std::array<iovec, kQueueSize + 2> list_ GUARDED_BY(mutex_){};
};

}  // namespace carrel::virtio
