#include "devices/virtio/queue/packed_ring.h"

#include "devices/virtio/queue/indirect_table.h"
#include "devices/virtio/queue/ring_access.h"

namespace carrel::virtio {
namespace {

// 2.8.1
bool is_available(uint16_t flags, bool wrap) {
    return ((flags & kAvailable) != 0) == wrap && ((flags & kUsed) != 0) != wrap;
}

// A place in its lap as one number, modulo two laps.
uint32_t lap_position(uint32_t place, bool wrap, uint32_t size) {
    return place + (wrap ? 0 : size);
}

}  // namespace

Complaint PackedRing::map() {
    // 2.8.10.1 and 2.8.11
    ring_ =
        map_area(memory_, {state_.descriptor_area, uint64_t{state_.size} * kDescriptorSize, 16}, holds_[0]);
    if (ring_ == nullptr) return "the descriptor ring isn't RAM, or not aligned to 16";
    driver_events_ = map_area(memory_, {state_.driver_area, sizeof(EventSuppression), 4}, holds_[1]);
    if (driver_events_ == nullptr) return "the driver's event suppression isn't RAM, or not aligned to 4";
    device_events_ = map_area(memory_, {state_.device_area, sizeof(EventSuppression), 4}, holds_[2]);
    if (device_events_ == nullptr) return "the device's event suppression isn't RAM, or not aligned to 4";
    return nullptr;
}

void PackedRing::advance(uint16_t& place, bool& wrap, uint16_t by) const {
    const uint32_t to = uint32_t{place} + by;
    const bool turned = to >= state_.size;
    place = static_cast<uint16_t>(turned ? to - state_.size : to);
    if (turned) wrap = !wrap;
}

bool PackedRing::untake(uint16_t place, uint16_t descriptors) {
    uint16_t behind = place;
    bool turned = false;
    advance(behind, turned, descriptors);
    if (behind != state_.next_avail) return false;
    state_.next_avail = place;
    if (turned) state_.avail_wrap = !state_.avail_wrap;
    return true;
}

uint16_t PackedRing::flags_at(uint16_t place) const {
    return load_acquire<uint16_t>(descriptor(place) + offsetof(PackedDescriptor, flags));
}

Found PackedRing::find(ChainBuilder& chain, uint16_t room) {
    uint16_t place = state_.next_avail;
    bool wrap = state_.avail_wrap;
    uint16_t flags = flags_at(place);
    if (!is_available(flags, wrap)) return {};
    Found found{Found::kChain, 0, 0, nullptr};
    // A chain that is no good is followed to its end all the same: behind it the next one begins, and the end
    // has the id that gives it back (2.8.6).
    for (;;) {
        // 2.8.17: descriptors that we haven't given back aren't there to be filled again.
        if (found.descriptors == room) return Found::broken("more descriptors are available than are free");
        auto d = load_once<PackedDescriptor>(descriptor(place));
        // The first one's flags were read before the rest and count as they were then.
        if (found.descriptors == 0) d.flags = flags;
        // 2.8.17: the first descriptor of a chain is made available after all others.
        if (!is_available(d.flags, wrap))
            return Found::broken("a chain goes on in a descriptor that isn't available");
        const bool alone = found.descriptors == 0 && (d.flags & kNext) == 0;
        if (found.complaint == nullptr) found.complaint = add(d, alone, chain);
        ++found.descriptors;
        advance(place, wrap, 1);
        if ((d.flags & kNext) == 0) {
            found.id = d.id;  // any 16 bits: it's the driver's name for the buffer, and goes back as it came
            break;
        }
    }
    if (found.complaint != nullptr) found.kind = Found::kMalformed;
    return found;
}

Complaint PackedRing::add(const PackedDescriptor& d, bool alone, ChainBuilder& chain) const {
    if ((d.flags & kIndirect) == 0) return chain.add(d.address, d.length, (d.flags & kWrite) != 0);
    // 2.8.5, 2.8.19: a chain is either linked or in a table.
    if (!alone) return "an indirect descriptor in a chain with others";
    return add_indirect(d, chain);
}

// 2.8.7: entries are used from end to end, and of their flags only kWrite means anything; the device ignores
// the others. So a table inside a table can't exist: it would be an ordinary buffer.
Complaint PackedRing::add_indirect(const PackedDescriptor& descriptor, ChainBuilder& chain) const {
    IndirectTable table;
    if (const Complaint complaint =
            IndirectTable::open(memory_, descriptor.address, descriptor.length, features_.indirect, table))
        return complaint;
    for (uint32_t index = 0; index < table.size(); ++index) {  // no longer than the queue: see add()
        const auto d = table.copy<PackedDescriptor>(index);
        if (const Complaint complaint = chain.add(d.address, d.length, (d.flags & kWrite) != 0))
            return complaint;
    }
    return nullptr;
}

void PackedRing::store_flags(uint16_t place, uint16_t flags) {
    std::byte* const to = descriptor(place);
    store_release(to + offsetof(PackedDescriptor, flags), flags);  // 2.8.15: the last that changes in it
    memory_.wrote({to, kDescriptorSize});
}

void PackedRing::put_used(uint16_t id, uint16_t descriptors, uint32_t written) {
    const uint16_t place = state_.next_used;
    const unsigned owner = state_.used_wrap ? kAvailable | kUsed : 0u;                         // 2.8.1
    const auto flags = static_cast<uint16_t>(owner | (written != 0 ? unsigned{kWrite} : 0u));  // 2.8.3
    store_plain(descriptor(place) + offsetof(PackedDescriptor, id), id);
    store_plain(descriptor(place) + offsetof(PackedDescriptor, length), written);
    if (held_back_) {
        store_flags(place, flags);
    } else {
        held_back_ = true;
        first_place_ = place;
        first_flags_ = flags;
    }
    advance(state_.next_used, state_.used_wrap, descriptors);
}

bool PackedRing::publish(uint16_t used) {
    store_flags(first_place_, first_flags_);
    held_back_ = false;
    full_fence();
    return wants_interrupt(used);
}

bool PackedRing::wants_interrupt(uint16_t used) const {
    // Both words at once, so that they belong together.
    const auto word = load_acquire<uint32_t>(driver_events_);
    const auto position = static_cast<uint16_t>(word);
    const unsigned flags = word >> 16 & kEventFlags;
    if (flags == kEventsOff) return false;
    // 2.8.10: 3 is reserved, 2 needs its feature, and an offset must be in the ring. Where the driver errs,
    // one interrupt too many does no harm.
    const uint32_t size = state_.size;
    const uint32_t offset = position & ~uint32_t{kEventWrap};
    if (flags != kEventAtDescriptor || !features_.event_idx || offset >= size) return true;
    // How many descriptors lie between the event and where we are now: it is among the last `used`?
    const uint32_t event = lap_position(offset, (position & kEventWrap) != 0, size);
    const uint32_t now = lap_position(state_.next_used, state_.used_wrap, size);
    const uint32_t behind = (now + 2 * size - event) % (2 * size);
    return behind >= 1 && behind <= used;
}

void PackedRing::set_notifications(bool on) {
    uint16_t flags = on ? kEventsOn : kEventsOff;
    if (on && features_.event_idx) {
        const unsigned wrap = state_.avail_wrap ? unsigned{kEventWrap} : 0u;
        store_plain(device_events_ + offsetof(EventSuppression, position),
                    static_cast<uint16_t>(state_.next_avail | wrap));
        flags = kEventAtDescriptor;
    }
    store_release(device_events_ + offsetof(EventSuppression, flags), flags);
    memory_.wrote({device_events_, sizeof(EventSuppression)});
}

bool PackedRing::more_available() const {
    return is_available(flags_at(state_.next_avail), state_.avail_wrap);
}

uint16_t PackedRing::available() const {
    uint16_t place = state_.next_avail;
    bool wrap = state_.avail_wrap;
    uint16_t chains = 0;
    for (uint16_t looked = 0; looked < state_.size; ++looked) {
        const uint16_t flags = flags_at(place);
        if (!is_available(flags, wrap)) break;
        if ((flags & kNext) == 0) ++chains;
        advance(place, wrap, 1);
    }
    return chains;
}

}  // namespace carrel::virtio
