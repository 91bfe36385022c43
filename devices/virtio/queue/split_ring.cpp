#include "devices/virtio/queue/split_ring.h"

#include "devices/virtio/queue/indirect_table.h"
#include "devices/virtio/queue/ring_access.h"

namespace carrel::virtio {
namespace {
constexpr size_t kAvailableEntry = sizeof(uint16_t);
constexpr size_t kUsedEntry = sizeof(UsedElement);
constexpr uint64_t kRingOverhead = 6;  // flags, idx, event
}  // namespace

Complaint SplitRing::map() {
    const uint64_t size = state_.size;
    // 2.7 (the table of alignments and sizes) and 2.7.1.
    descriptors_ = map_area(memory_, {state_.descriptor_area, size * kDescriptorSize, 16}, holds_[0]);
    if (descriptors_ == nullptr) return "the descriptor table isn't RAM, or not aligned to 16";
    available_ =
        map_area(memory_, {state_.driver_area, kRingOverhead + size * kAvailableEntry, 2}, holds_[1]);
    if (available_ == nullptr) return "the available ring isn't RAM, or not aligned to 2";
    used_ = map_area(memory_, {state_.device_area, kRingOverhead + size * kUsedEntry, 4}, holds_[2]);
    if (used_ == nullptr) return "the used ring isn't RAM, or not aligned to 4";
    return nullptr;
}

Found SplitRing::find(ChainBuilder& chain, uint16_t room) {
    if (avail_seen_ == state_.next_avail) {
        avail_seen_ = load_acquire<uint16_t>(available_ + kRingIndex);
        if (avail_seen_ == state_.next_avail) return {};
        // 2.7.13: a chain has at least one descriptor, so never more than the queue's size are out.
        if (static_cast<uint16_t>(avail_seen_ - state_.next_avail) > room)
            return Found::broken("the available index is more than the queue's size ahead");
    }
    const size_t entry = place(state_.next_avail);
    const auto head = load_once<uint16_t>(available_ + kRingEntries + entry * kAvailableEntry);
    // 2.7.6: an entry is the number of a descriptor. There is none that this one could be given back as.
    if (head >= state_.size) return Found::broken("the head of a chain is beyond the descriptor table");
    const Complaint complaint = walk(head, chain);
    return {complaint == nullptr ? Found::kChain : Found::kMalformed, head, 1, complaint};
}

// The builder's limit bounds the walk: each turn adds a descriptor or ends.
Complaint SplitRing::walk(uint16_t head, ChainBuilder& chain) const {
    for (uint16_t index = head;;) {
        const auto d = load_once<SplitDescriptor>(descriptors_ + index * kDescriptorSize);
        // 2.7.5.3.2: also behind direct descriptors; kWrite means nothing there.
        if ((d.flags & kIndirect) != 0) return walk_indirect(d, chain);
        if (const Complaint complaint = chain.add(d.address, d.length, (d.flags & kWrite) != 0))
            return complaint;
        if ((d.flags & kNext) == 0) return nullptr;
        // 2.7.5: next is an index into the table.
        if (d.next >= state_.size) return "a descriptor's next is beyond the descriptor table";
        index = d.next;
    }
}

Complaint SplitRing::walk_indirect(const SplitDescriptor& descriptor, ChainBuilder& chain) const {
    // 2.7.5.3.1: never both
    if ((descriptor.flags & kNext) != 0) return "an indirect descriptor with a next one";
    IndirectTable table;
    if (const Complaint complaint =
            IndirectTable::open(memory_, descriptor.address, descriptor.length, features_.indirect, table))
        return complaint;
    uint32_t index = 0;
    for (uint32_t walked = 0; walked < table.size(); ++walked) {
        const auto d = table.copy<SplitDescriptor>(index);
        // 2.7.5.3.1: only one table per descriptor
        if ((d.flags & kIndirect) != 0) return "an indirect descriptor inside an indirect table";
        if (const Complaint complaint = chain.add(d.address, d.length, (d.flags & kWrite) != 0))
            return complaint;
        if ((d.flags & kNext) == 0) return nullptr;
        if (d.next >= table.size()) return "a descriptor's next is beyond its indirect table";
        index = d.next;
    }
    return "a loop in an indirect table";  // 2.7.5.2
}

bool SplitRing::untake(uint16_t place, uint16_t) {
    if (static_cast<uint16_t>(place + 1) != state_.next_avail) return false;
    state_.next_avail = place;
    return true;
}

void SplitRing::put_used(uint16_t id, uint16_t, uint32_t written) {
    const size_t entry = place(state_.next_used++);
    std::byte* const to = used_ + kRingEntries + entry * kUsedEntry;
    store_plain(to + offsetof(UsedElement, id), uint32_t{id});
    store_plain(to + offsetof(UsedElement, length), written);
    memory_.wrote({to, kUsedEntry});
}

void SplitRing::store_used_field(size_t offset, uint16_t value) {
    store_release(used_ + offset, value);
    memory_.wrote({used_ + offset, sizeof value});
}

bool SplitRing::publish(uint16_t used) {
    const uint16_t now = state_.next_used;
    store_used_field(kRingIndex, now);  // 2.7.8.2: after the elements
    full_fence();                       // 2.7.7.2: then look whether it wants to know
    return wants_interrupt(static_cast<uint16_t>(now - used), now);
}

bool SplitRing::wants_interrupt(uint16_t before, uint16_t now) const {
    // 2.7.7.2: one of the two counts, by what was negotiated; the other isn't looked at.
    if (features_.event_idx)
        return passed(load_acquire<uint16_t>(available_ + event_offset(kAvailableEntry)), before, now);
    return (load_acquire<uint16_t>(available_ + kRingFlags) & kNoInterrupt) == 0;
}

void SplitRing::set_notifications(bool on) {
    // 2.7.10.2: with event indices the flags stay 0; an event in the past is as good as "never".
    if (!features_.event_idx) return store_used_field(kRingFlags, on ? 0 : kNoNotification);
    if (on) store_used_field(event_offset(kUsedEntry), state_.next_avail);
}

bool SplitRing::more_available() const {
    return available() != 0;
}

uint16_t SplitRing::available() const {
    return static_cast<uint16_t>(load_acquire<uint16_t>(available_ + kRingIndex) - state_.next_avail);
}

}  // namespace carrel::virtio
