// TransportCore: the conversation between driver and device that PCI and MMIO hold in the same words:
// features, status, where the queues lie. VIRTIO 1.3, sections 2.1, 2.2, 3.1 and 4.1.4.3.
//
//   reset ─► ACKNOWLEDGE ─► DRIVER ─► (features) ─► FEATURES_OK ─► (queues) ─► DRIVER_OK ─► works
//     ▲                                                                                        │
//     └──────────────── 0 is written to the status; the only way back ◄── NEEDS_RESET ◄────────┘
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "devices/virtio/virtio_device.h"
#include "vmm/base/bytes.h"

namespace carrel::virtio {

// Guarded by its transport's mutex.
class TransportCore {
  public:
    // `broken`: the device, from its own thread, says that the driver broke the protocol; outlives this.
    TransportCore(VirtioDevice& device, uint64_t queue_features, std::atomic<bool>& broken);

    VirtioDevice& device() const { return device_; }
    uint16_t queues() const { return static_cast<uint16_t>(queues_.size()); }

    // Registers, in the words of 4.1.4.3.
    uint32_t device_feature() const;
    uint32_t driver_feature() const;
    void set_driver_feature(uint32_t bits);
    uint8_t status() const;
    // Resets or activates the device; true when it did either.
    bool set_status(uint8_t status);
    uint32_t device_feature_select = 0;
    uint32_t driver_feature_select = 0;
    uint16_t queue_select = 0;

    // The selected queue; null where there is none.
    const QueueState* selected() const;
    uint16_t largest_size() const;  // of the selected queue
    // Ignored once the queue is enabled (4.1.4.3.2), and where the value can't be.
    void set_size(uint16_t size);
    void set_area(Gpa QueueState::*area, uint64_t value, uint64_t mask);
    void enable();
    // Both where the queue was enabled; true: it isn't any more. reset_queue() needs VIRTIO_F_RING_RESET, and
    // all of the queue is as after a reset (2.6.1.1); stop_queue() is MMIO's QueueReady = 0 (4.2.2).
    bool reset_queue();
    bool stop_queue();

    bool active() const { return active_; }
    bool ready(uint16_t queue) const { return queue < queues_.size() && queues_[queue].ready; }

    void reset();
    void save(ByteWriter& writer) const;
    // As after a reset before. What it reads is the end of `part`; activates the device where it was, once
    // all bytes are found good: that reads and writes guest memory.
    Result<void> restore(ByteReader& part);

  private:
    bool change(uint8_t status);
    void activate();
    uint64_t offered() const { return device_.features() | queue_features_ | kVersion1; }
    // 2.2.2, 3.1.1 steps 5 and 6: the driver has taken what the device needs, and nothing that it hasn't.
    bool agreed() const { return (accepted_ & ~offered()) == 0 && (accepted_ & kVersion1) != 0; }
    bool possible(uint8_t active) const;
    QueueFeatures ring_features() const;

    VirtioDevice& device_;
    const uint64_t queue_features_;
    std::vector<QueueState> queues_;
    uint8_t status_ = 0;  // kNeedsReset is broken_
    uint64_t accepted_ = 0;
    bool active_ = false;
    std::atomic<bool>& broken_;
};

}  // namespace carrel::virtio
