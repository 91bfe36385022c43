// Balloon: memory that its guest gives back to the host. VIRTIO 1.3, section 5.5.
//
// Two ways, which don't know of each other:
//
//   inflating  we ask for so many pages (num_pages); the driver takes them from its guest and names them in
//              the inflate queue; their memory is the host's again. A smaller number lets it take pages back.
//   reporting  the driver offers pages that happen to be free, by the address of each; we take their memory
//              and return the chain, and only then may the guest use them.
//
// Both end in GuestMemory::release(): the page stays mapped and reads as zeros when it is touched again. So
// whatever page a driver names, it can lose only what was its own, and a transfer of another device into such
// a page goes into memory that the kernel holds until the transfer ends.
//
// Hints (FREE_PAGE_HINT) are taken and counted, and no memory follows from them: a hinted page may be in use
// again before we see its hint (5.5.6.6.2). Who copies a guest's memory needn't copy them.
#pragma once

#include <array>
#include <atomic>
#include <optional>

#include "devices/virtio/balloon/balloon_format.h"
#include "devices/virtio/queued_device.h"

namespace carrel::virtio {

class Balloon final : public QueuedDevice {
  public:
    // The driver is asked for this from the start; a restored device is asked for what it was.
    explicit Balloon(uint32_t pages) : target_(pages) {}
    ~Balloon() override { reset(); }

    // How many pages the guest shall be without. Any thread.
    void set_target(uint32_t pages) EXCLUDES(mutex_);
    uint32_t target() const EXCLUDES(mutex_);
    uint32_t actual() const EXCLUDES(mutex_);  // as the driver says
    // The most that it has said: a guest that goes down takes all back first.
    uint32_t most_actual() const EXCLUDES(mutex_);
    // Asks for newer statistics; they come when the guest has had time.
    void ask_statistics() EXCLUDES(mutex_);
    BalloonStatistics statistics() const EXCLUDES(mutex_);
    // Has the driver hint its free pages until end_hints().
    void begin_hints() EXCLUDES(mutex_);
    void end_hints() EXCLUDES(mutex_);
    uint64_t hinted_bytes() const { return hinted_.load(std::memory_order_relaxed); }  // since begin_hints()

    uint64_t released_bytes() const { return released_.load(std::memory_order_relaxed); }
    // Pages named that aren't RAM, and more than we look at in one chain.
    uint64_t refused_pages() const { return refused_.load(std::memory_order_relaxed); }

    std::string_view name() const override { return "virtio-balloon"; }
    DeviceType type() const override { return DeviceType::kBalloon; }
    uint64_t features() const override;
    std::span<const uint16_t> queue_sizes() const override { return kQueueSizes; }
    void read_config(uint64_t offset, std::span<std::byte> data) override EXCLUDES(mutex_);
    void write_config(uint64_t offset, std::span<const std::byte> data) override EXCLUDES(mutex_);
    void save(ByteWriter& writer) const override EXCLUDES(mutex_);
    Result<void> restore(ByteReader& reader) override EXCLUDES(mutex_);

  private:
    enum Queue : uint16_t { kInflate, kDeflate, kStatistics, kHints, kReports, kQueues };
    static constexpr std::array<uint16_t, kQueues> kQueueSizes = {128, 128, 16, 128, 128};
    // A page may cost a system call of a microsecond: that bounds a turn to some ten milliseconds.
    static constexpr unsigned kMostChainsHere = 8;
    static constexpr uint32_t kMostPages = 1024;  // in one chain; Linux names 256

    // Pages are offered so that they go: to have them there first would charge a quota for nothing.
    bool writes() const override { return false; }
    bool turn(uint16_t queue) override REQUIRES(mutex_);
    void serve(uint16_t queue, DescriptorChain chain) override REQUIRES(mutex_);
    bool drain(bool abandon, Nanoseconds limit) override REQUIRES(mutex_);
    Queue role(uint16_t queue) const REQUIRES(mutex_);
    void inflate(DescriptorChain chain) REQUIRES(mutex_);
    void release_pages(std::span<const uint32_t> pages) REQUIRES(mutex_);
    void keep_statistics(DescriptorChain chain) REQUIRES(mutex_);
    void take_hint(DescriptorChain chain) REQUIRES(mutex_);
    void take_report(DescriptorChain chain) REQUIRES(mutex_);
    BalloonConfig config() const REQUIRES(mutex_);
    void ask_hints(uint32_t command) REQUIRES(mutex_);

    std::atomic<uint64_t> released_{0}, refused_{0}, hinted_{0};
    uint32_t target_ GUARDED_BY(mutex_);
    uint32_t actual_ GUARDED_BY(mutex_) = 0;
    uint32_t most_actual_ GUARDED_BY(mutex_) = 0;
    uint32_t poison_ GUARDED_BY(mutex_) = 0;
    uint32_t hint_command_ GUARDED_BY(mutex_) = kHintStop;
    uint32_t next_hint_ GUARDED_BY(mutex_) = kFirstHint;
    uint32_t heard_hint_ GUARDED_BY(mutex_) = kHintStop;  // which command the driver's hints are for
    std::optional<DescriptorChain> statistics_chain_ GUARDED_BY(mutex_);  // until newer ones are wanted
    BalloonStatistics statistics_ GUARDED_BY(mutex_) = unknown();

    static constexpr BalloonStatistics unknown() {
        BalloonStatistics statistics;
        statistics.fill(kNotTold);
        return statistics;
    }
};

}  // namespace carrel::virtio
