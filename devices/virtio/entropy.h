// Entropy: random bytes from the host. VIRTIO 1.3, section 5.4.
//
// The guest names buffers, and gets them back filled from getrandom(2), which doesn't block once the host has
// booted.
#pragma once

#include <array>

#include "devices/virtio/queued_device.h"

namespace carrel::virtio {

class Entropy final : public QueuedDevice {
  public:
    Entropy() = default;
    ~Entropy() override { reset(); }

    std::string_view name() const override { return "virtio-rng"; }
    DeviceType type() const override { return DeviceType::kEntropy; }
    uint64_t features() const override { return 0; }
    std::span<const uint16_t> queue_sizes() const override { return kQueueSizes; }
    void read_config(uint64_t, std::span<std::byte>) override {}  // it has none
    void write_config(uint64_t, std::span<const std::byte>) override {}
    void save(ByteWriter&) const override {}
    Result<void> restore(ByteReader&) override { return {}; }

  private:
    static constexpr std::array<uint16_t, 1> kQueueSizes = {64};
    // In one chain: the rest of a larger one stays as it is (5.4.6.2 allows that), so that nobody keeps the
    // thread.
    static constexpr uint32_t kMostBytes = 4096;

    void serve(uint16_t queue, DescriptorChain chain) override REQUIRES(mutex_);
};

}  // namespace carrel::virtio
