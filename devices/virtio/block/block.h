// Block: a disk. VIRTIO 1.3, section 5.2.
//
// Its data goes between the image and guest memory without a buffer of ours. Requests end in any order.
// Writes reach the host's page cache, or with cache=none its device; a flush ends after an fdatasync
// (5.2.6.2), which is what a driver that has seen VIRTIO_BLK_F_FLUSH asks for. A driver that hasn't taken it,
// or has switched to write through (5.2.5.2), gets every write on the medium before it ends.
//
// An image that grows is looked at every two seconds: a watch (inotify) would wake us at each write of our
// own.
//
// A rate limit counts what is started: each request, and the bytes that it reads or writes. What has to wait
// does so in its ring, all queues alike.
//
// Missing: secure erase, lifetime and zones.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "devices/backends/disk_image.h"
#include "devices/backends/disk_requests.h"
#include "devices/backends/disk_trouble.h"
#include "devices/virtio/block/block_request.h"
#include "devices/virtio/queued_device.h"
#include "devices/virtio/throttle.h"
#include "vmm/base/event_loop.h"

namespace carrel::virtio {

class Block final : public QueuedDevice, private ThrottleListener {
  public:
    // `loop` is for its timers, and where it is made and destroyed; it, `image`, `throttle` and `log` (which
    // may be null) outlive it. `id`: at most 20 characters, for the guest's /dev/disk/by-id.
    static Result<std::unique_ptr<Block>> create(EventLoop& loop, const DiskImage& image, std::string id,
                                                 Throttle& throttle, Log* log);
    Block(EventLoop& loop, const DiskImage& image, std::string id, Throttle& throttle, Log* log,
          std::unique_ptr<DiskRequests> disk);  // use create()
    ~Block() override;

    std::string_view name() const override { return "virtio-blk"; }
    DeviceType type() const override { return DeviceType::kBlock; }
    uint64_t features() const override;
    std::span<const uint16_t> queue_sizes() const override { return queue_sizes_; }
    void read_config(uint64_t offset, std::span<std::byte> data) override EXCLUDES(mutex_);
    void write_config(uint64_t offset, std::span<const std::byte> data) override EXCLUDES(mutex_);
    int event_fd() const override { return disk_->event_fd(); }
    void wake() override EXCLUDES(mutex_);
    void save(ByteWriter& writer) const override EXCLUDES(mutex_);
    Result<void> restore(ByteReader& reader) override EXCLUDES(mutex_);

  private:
    static constexpr uint16_t kQueueSize = 256;
    static constexpr uint32_t kSegments = 254;  // with header and status as many descriptors as the queue has

    // A request that the host works on.
    struct Pending {
        DescriptorChain chain;
        BlockRequest request;
        uint16_t queue;
    };

    bool wants(uint16_t) override REQUIRES(mutex_) { return throttle_.open(); }
    void serve(uint16_t queue, DescriptorChain chain) override REQUIRES(mutex_);
    void end_turn(uint16_t queue) override REQUIRES(mutex_);
    bool drain(bool abandon, Nanoseconds limit) override REQUIRES(mutex_);
    void power_on() override REQUIRES(mutex_);
    void go_on() override;
    void notify_all() EXCLUDES(mutex_);
    void look_at_size() EXCLUDES(mutex_);
    uint16_t free_place() REQUIRES(mutex_);
    void start(uint16_t queue, DescriptorChain chain, BlockRequest request) REQUIRES(mutex_);
    DiskRequest ask_for(const BlockRequest& request) const REQUIRES(mutex_);
    static uint32_t moved_bytes(const BlockRequest& request);
    void reap(bool abandon) REQUIRES(mutex_);
    void publish_ended() REQUIRES(mutex_);
    void finish(DescriptorChain& chain, const BlockRequest& request, int error) REQUIRES(mutex_);
    static void answer(DescriptorChain& chain, const BlockRequest& request, BlockStatus status,
                       uint32_t data);
    bool inside(uint64_t sector, uint64_t sectors) const REQUIRES(mutex_);
    // kBlockOk: it can be started. Reads a discard's ranges.
    BlockStatus judge(const DescriptorChain& chain, BlockRequest& request) const REQUIRES(mutex_);
    BlockStatus judge_ranges(const DescriptorChain& chain, BlockRequest& request) const REQUIRES(mutex_);
    bool write_back() const REQUIRES(mutex_);
    void get_id(DescriptorChain& chain, const BlockRequest& request) REQUIRES(mutex_);

    EventLoop& loop_;
    const DiskImage& image_;
    const std::string id_;
    const std::vector<uint16_t> queue_sizes_;
    Throttle& throttle_;
    const std::unique_ptr<DiskRequests> disk_;
    std::atomic<bool> goes_on_{false};  // the throttle is open again
    size_t first_ = 0;                  // of the queues, when it is; the device's thread's
    std::optional<uint64_t> timer_;     // of look_at_size()
    DiskTrouble trouble_ GUARDED_BY(mutex_);
    // As long as there ever were requests at a time, within what is reserved: most disks have few, and 36 KiB
    // that nobody touches aren't resident.
    std::vector<std::optional<Pending>> pending_ GUARDED_BY(mutex_);
    std::vector<uint16_t> free_ GUARDED_BY(mutex_);  // places in it
    uint64_t ended_queues_ GUARDED_BY(mutex_) = 0;   // a bit for each that has something to publish
    uint64_t bytes_ GUARDED_BY(mutex_);              // what the disk has
    uint64_t usable_ GUARDED_BY(mutex_);             // less, where the image has shrunk
    uint64_t told_bytes_ GUARDED_BY(mutex_);         // what the driver was told
    bool write_back_ GUARDED_BY(mutex_) = true;      // the config's `writeback`
};

}  // namespace carrel::virtio
