// Vsock: streams between guest and host without a network. VIRTIO 1.3, section 5.10.
//
// It moves packets between its queues and the hub, which knows the connections and outlives it. Streams only:
// no SEQPACKET, no datagrams.
#pragma once

#include <array>

#include "devices/virtio/queued_device.h"
#include "devices/virtio/vsock/vsock_hub.h"

namespace carrel::virtio {

class Vsock final : public QueuedDevice, private VsockListener {
  public:
    // `loop` is the device's thread; both outlive it.
    Vsock(VsockHub& hub, EventLoop& loop);
    ~Vsock() override;

    std::string_view name() const override { return "virtio-vsock"; }
    DeviceType type() const override { return DeviceType::kVsock; }
    uint64_t features() const override { return kVsockStream; }
    std::span<const uint16_t> queue_sizes() const override { return kQueueSizes; }
    void read_config(uint64_t offset, std::span<std::byte> data) override;
    void write_config(uint64_t, std::span<const std::byte>) override {}
    void save(ByteWriter& writer) const override EXCLUDES(mutex_);
    Result<void> restore(ByteReader& reader) override EXCLUDES(mutex_);

  private:
    enum Queue : uint16_t { kReceive, kTransmit, kEvents, kQueues };  // 5.10.2
    static constexpr std::array<uint16_t, kQueues> kQueueSizes = {256, 256, 16};

    void packets_waiting() override { notify(kReceive); }
    bool turn(uint16_t queue) override REQUIRES(mutex_);
    void serve(uint16_t queue, DescriptorChain chain) override REQUIRES(mutex_);
    bool drain(bool abandon, Nanoseconds limit) override REQUIRES(mutex_);
    bool receive() REQUIRES(mutex_);
    bool transmit() REQUIRES(mutex_);
    bool tell_reset() REQUIRES(mutex_);

    VsockHub& hub_;
    bool reset_due_ GUARDED_BY(mutex_) = false;  // the driver's connections are gone, and it doesn't know
    bool stalled_ GUARDED_BY(mutex_) = false;    // transmit() waits for answers to be received
};

}  // namespace carrel::virtio
