// QueueState: all of a virtqueue that is ours to remember, as plain data. What is negotiated for the whole
// device comes beside it.
#pragma once

#include <cstdint>
#include <optional>

#include "vmm/base/bytes.h"
#include "vmm/model/gpa.h"

namespace carrel::virtio {

// Of the device's negotiated features, those that change how a queue works. VIRTIO 1.3, section 6.
struct QueueFeatures {
    bool packed = false;     // VIRTIO_F_RING_PACKED
    bool event_idx = false;  // VIRTIO_F_EVENT_IDX
    bool indirect = false;   // VIRTIO_F_INDIRECT_DESC
    // Not negotiated, but what the device is: it writes into what is writable. A balloon doesn't: its driver
    // offers pages so that they go.
    bool writes = true;
};

// A reset queue has the values below. Nothing in flight is part of it: a queue is saved when every chain has
// been completed and published.
struct QueueState {
    // Set by the driver before it enables the queue.
    uint16_t size = 0;
    bool ready = false;
    Gpa descriptor_area{0};
    Gpa driver_area{0};
    Gpa device_area{0};
    // Where we go on: split, free-running indices; packed, offsets in the ring with their wrap counters
    // (2.8.1).
    uint16_t next_avail = 0;
    uint16_t next_used = 0;
    bool avail_wrap = true;
    bool used_wrap = true;
    bool notifications = true;   // we want to hear of new chains
    bool interrupt_due = false;  // published, and should_interrupt() not asked since
    bool broken = false;         // the driver broke the protocol; until a reset

    bool operator==(const QueueState&) const = default;

    // 2.7: a power of two for split rings; 2.8: any for packed ones. 1 to 32768 for both.
    static bool valid_size(uint32_t size, bool packed);

    void save(ByteWriter& writer) const;
    // The bytes are hostile. Nothing where no queue of at most `max_size` can be in this state; whether the
    // areas are good is for VirtQueue::open() to say.
    static std::optional<QueueState> restore(ByteReader& reader, const QueueFeatures& features,
                                             uint16_t max_size);
};

}  // namespace carrel::virtio
