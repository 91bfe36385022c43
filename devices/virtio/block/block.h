// Block: a disk. VIRTIO 1.3, section 5.2.
//
// Its data goes between the image and guest memory by io_uring, never through a buffer of ours. Requests end
// in any order. Writes reach the host's page cache; a flush ends after an fdatasync (5.2.6.2), which is what
// a driver that has seen VIRTIO_BLK_F_FLUSH asks for. A driver that hasn't taken it gets every write on the
// medium before it ends (5.2.5.1).
//
// Missing: discard, write zeroes, several queues, topology, lifetime and zones.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>

#include "devices/backends/disk_image.h"
#include "devices/backends/disk_ring.h"
#include "devices/virtio/block/block_request.h"
#include "devices/virtio/queued_device.h"
#include "vmm/base/clock.h"

namespace carrel::virtio {

class Block final : public QueuedDevice {
  public:
    // `clock` and `image` outlive it. `id`: at most 20 characters, for the guest's
    // /dev/disk/by-id.
    static Result<std::unique_ptr<Block>> create(const Clock& clock, const DiskImage& image, std::string id);
    Block(const Clock& clock, const DiskImage& image, std::string id,
          std::unique_ptr<DiskRing> ring);  // use create()
    ~Block() override;

    std::string_view name() const override { return "virtio-blk"; }
    DeviceType type() const override { return DeviceType::kBlock; }
    uint64_t features() const override;
    std::span<const uint16_t> queue_sizes() const override { return kQueueSizes; }
    void read_config(uint64_t offset, std::span<std::byte> data) override;
    void write_config(uint64_t, std::span<const std::byte>) override {}
    int event_fd() const override { return ring_->event_fd(); }
    void wake() override EXCLUDES(mutex_);
    void save(ByteWriter&) const override {}
    Result<void> restore(ByteReader&) override { return {}; }

  private:
    static constexpr uint16_t kQueueSize = 256;
    static constexpr std::array<uint16_t, 1> kQueueSizes = {kQueueSize};
    static constexpr uint32_t kSegments = 254;  // with header and status as many descriptors as the queue has

    // A request that the kernel works on.
    struct Pending {
        DescriptorChain chain;
        BlockRequest request;
    };

    void serve(uint16_t queue, DescriptorChain chain) override REQUIRES(mutex_);
    void end_turn(uint16_t queue) override REQUIRES(mutex_);
    bool drain(bool abandon, Nanoseconds limit) override REQUIRES(mutex_);
    void start(DescriptorChain chain, BlockRequest request) REQUIRES(mutex_);
    int32_t transfer_now(const BlockRequest& request) const;
    void reap(bool abandon) REQUIRES(mutex_);
    void finish(Pending pending, int32_t result) REQUIRES(mutex_);
    void answer(DescriptorChain chain, const BlockRequest& request, BlockStatus status, uint32_t data)
        REQUIRES(mutex_);
    bool possible(const BlockRequest& request) const;
    void get_id(DescriptorChain chain, const BlockRequest& request) REQUIRES(mutex_);

    const Clock& clock_;
    const DiskImage& image_;
    const std::string id_;
    const std::unique_ptr<DiskRing> ring_;
    std::array<std::optional<Pending>, kQueueSize> pending_ GUARDED_BY(mutex_);
    std::array<uint16_t, kQueueSize> free_ GUARDED_BY(mutex_);  // places in it
    uint16_t free_count_ GUARDED_BY(mutex_) = kQueueSize;
};

}  // namespace carrel::virtio
