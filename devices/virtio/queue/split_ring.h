// SplitRing: how a split ring is read and written. VIRTIO 1.3, section 2.7; rings.h has the picture.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "devices/virtio/queue/chain_builder.h"
#include "devices/virtio/queue/queue_state.h"
#include "devices/virtio/queue/ring_common.h"
#include "devices/virtio/queue/rings.h"
#include "vmm/memory/guest_memory.h"

namespace carrel::virtio {

class SplitRing {
  public:
    // All of them outlive the ring, which moves the indices of `state` on.
    SplitRing(GuestMemory& memory, const QueueFeatures& features, QueueState& state)
        : memory_(memory), features_(features), state_(state), avail_seen_(state.next_avail) {}

    // Finds the three areas in guest memory; before anything else.
    Complaint map();

    // The next available chain, into `chain`. `room`: how many descriptors the driver may have made available
    // by now.
    Found find(ChainBuilder& chain, uint16_t room);
    void take(const Found&) { ++state_.next_avail; }
    // The other way, for the chain that was taken at `place` (next_avail of that time); false: it wasn't the
    // last.
    bool untake(uint16_t place, uint16_t descriptors);
    // Writes a used element, not yet visible.
    void put_used(uint16_t id, uint16_t descriptors, uint32_t written);
    // Makes the last `used` of them visible; whether the driver wants an interrupt for that.
    bool publish(uint16_t used);

    void set_notifications(bool on);
    bool more_available() const;
    // How many chains are available; a driver that errs may say any number.
    uint16_t available() const;

  private:
    Complaint walk(uint16_t head, ChainBuilder& chain) const;
    Complaint walk_indirect(const SplitDescriptor& descriptor, ChainBuilder& chain) const;
    uint16_t place(uint16_t index) const { return index & static_cast<uint16_t>(state_.size - 1); }
    size_t event_offset(size_t entry) const { return kRingEntries + entry * state_.size; }
    bool wants_interrupt(uint16_t before, uint16_t now) const;
    void store_used_field(size_t offset, uint16_t value);

    GuestMemory& memory_;
    const QueueFeatures& features_;
    QueueState& state_;
    std::array<std::optional<ReadWindow>, 3> holds_;  // of the areas
    const std::byte* descriptors_ = nullptr;
    const std::byte* available_ = nullptr;
    std::byte* used_ = nullptr;
    uint16_t avail_seen_;  // the available index when we last looked: saves a look per chain
};

}  // namespace carrel::virtio
