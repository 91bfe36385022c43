// PackedRing: how a packed ring is read and written. VIRTIO 1.3, section 2.8; rings.h has the picture.
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

// The same shape as SplitRing, which has the comments.
class PackedRing {
  public:
    PackedRing(GuestMemory& memory, const QueueFeatures& features, QueueState& state)
        : memory_(memory), features_(features), state_(state) {}

    Complaint map();
    Found find(ChainBuilder& chain, uint16_t room);
    void take(const Found& found) { advance(state_.next_avail, state_.avail_wrap, found.descriptors); }
    bool untake(uint16_t place, uint16_t descriptors);
    void put_used(uint16_t id, uint16_t descriptors, uint32_t written);
    bool publish(uint16_t used);
    void set_notifications(bool on);
    bool more_available() const;
    uint16_t available() const;  // looks at each descriptor

  private:
    void advance(uint16_t& place, bool& wrap, uint16_t by) const;
    uint16_t flags_at(uint16_t place) const;
    Complaint add(const PackedDescriptor& descriptor, bool alone, ChainBuilder& chain) const;
    Complaint add_indirect(const PackedDescriptor& descriptor, ChainBuilder& chain) const;
    bool wants_interrupt(uint16_t used) const;
    std::byte* descriptor(uint16_t place) const { return ring_ + size_t{place} * kDescriptorSize; }
    void store_flags(uint16_t place, uint16_t flags);

    GuestMemory& memory_;
    const QueueFeatures& features_;
    QueueState& state_;
    std::array<std::optional<ReadWindow>, 3> holds_;  // of the areas
    std::byte* ring_ = nullptr;
    const std::byte* driver_events_ = nullptr;
    std::byte* device_events_ = nullptr;
    // The first descriptor used since the last publish(): its flags are stored last, for the driver looks at
    // nothing behind a descriptor that isn't used (2.8.2).
    bool held_back_ = false;
    uint16_t first_place_ = 0;
    uint16_t first_flags_ = 0;
};

}  // namespace carrel::virtio
