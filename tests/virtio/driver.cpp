#include "tests/virtio/driver.h"

namespace carrel::virtio::test {

std::unique_ptr<GuestMemory> make_memory() {
    RamMap map{{RamRange{Gpa{0}, kLowEnd}, RamRange{Gpa{kHigh}, kHighEnd - kHigh}}};
    return GuestMemory::create(map, MemoryBacking::kAnonymous).value();
}

std::unique_ptr<Driver> make_driver(GuestMemory& memory, uint16_t size, const QueueFeatures& features,
                                    uint64_t shift) {
    if (features.packed) return std::make_unique<PackedDriver>(memory, size, features, shift);
    return std::make_unique<SplitDriver>(memory, size, features, shift);
}

QueueState Driver::state() const {
    QueueState state;
    state.size = size_;
    state.ready = true;
    state.descriptor_area = Gpa{descriptors_};
    state.driver_area = Gpa{driver_area_};
    state.device_area = Gpa{device_area_};
    return state;
}

SplitDriver::SplitDriver(GuestMemory& memory, uint16_t size, QueueFeatures features, uint64_t shift)
    : Driver(memory, size, features, shift) {
    for (uint16_t i = size; i > 0; --i) free_.push_back(static_cast<uint16_t>(i - 1));
}

uint16_t SplitDriver::take_free() {
    const uint16_t index = free_.back();
    free_.pop_back();
    return index;
}

void SplitDriver::set_descriptor(uint64_t table, size_t index, const SplitDescriptor& descriptor) {
    memory_.write(Gpa{table + index * kDescriptorSize}, descriptor);
}

void SplitDriver::offer(uint16_t head) {
    poke<uint16_t>(driver_area_ + kRingEntries + uint64_t{2} * (available_ % size_), head);
    ++available_;
}

uint16_t SplitDriver::add(const Buffers& buffers) {
    std::vector<uint16_t> taken;
    for (size_t i = 0; i < buffers.size(); ++i) taken.push_back(take_free());
    for (size_t i = 0; i < buffers.size(); ++i) {
        const bool last = i + 1 == buffers.size();
        const unsigned flags = (last ? 0u : unsigned{kNext}) | (buffers[i].writable ? unsigned{kWrite} : 0u);
        set_descriptor(descriptors_, taken[i],
                       {buffers[i].address, buffers[i].length, static_cast<uint16_t>(flags),
                        last ? uint16_t{0xffff} : taken[i + 1]});
    }
    const uint16_t head = taken[0];
    out_[head] = std::move(taken);
    offer(head);
    return head;
}

uint16_t SplitDriver::add_indirect(const Buffers& buffers, uint64_t table, unsigned flags) {
    for (size_t i = 0; i < buffers.size(); ++i) {
        const bool last = i + 1 == buffers.size();
        const unsigned bits = (last ? 0u : unsigned{kNext}) | (buffers[i].writable ? unsigned{kWrite} : 0u);
        set_descriptor(table, i,
                       {buffers[i].address, buffers[i].length, static_cast<uint16_t>(bits),
                        static_cast<uint16_t>(i + 1)});
    }
    const uint16_t head = take_free();
    const auto length = static_cast<uint32_t>(buffers.size() * kDescriptorSize);
    set_descriptor(descriptors_, head, {table, length, static_cast<uint16_t>(kIndirect | flags), 0});
    out_[head] = {head};
    offer(head);
    return head;
}

bool SplitDriver::publish() {
    const uint16_t before = std::exchange(visible_, available_);
    poke<uint16_t>(driver_area_ + kRingIndex, available_);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (!features_.event_idx) return (peek<uint16_t>(device_area_ + kRingFlags) & kNoNotification) == 0;
    // 2.7.10.1, one by one: it was at the event when one more became available.
    const auto event = peek<uint16_t>(device_area_ + kRingEntries + uint64_t{8} * size_);
    for (uint16_t index = before; index != available_; ++index)
        if (index == event) return true;
    return false;
}

std::optional<Used> SplitDriver::get_used() {
    if (used_index() == seen_) return std::nullopt;
    const uint64_t element = device_area_ + kRingEntries + uint64_t{8} * (seen_ % size_);
    const Used used{peek<uint32_t>(element), peek<uint32_t>(element + 4)};
    ++seen_;
    for (const uint16_t index : out_[used.id]) free_.push_back(index);
    out_.erase(used.id);
    return used;
}

void SplitDriver::set_interrupts(bool on) {
    poke<uint16_t>(driver_area_ + kRingFlags, on ? 0 : kNoInterrupt);
}

void SplitDriver::interrupt_after(uint16_t more) {
    poke<uint16_t>(driver_area_ + kRingEntries + uint64_t{2} * size_, static_cast<uint16_t>(seen_ + more));
}

PackedDriver::PackedDriver(GuestMemory& memory, uint16_t size, QueueFeatures features, uint64_t shift)
    : Driver(memory, size, features, shift) {}

void PackedDriver::advance(uint16_t& place, bool& wrap, size_t by) const {
    for (; by > 0; --by) {
        if (++place < size_) continue;
        place = 0;
        wrap = !wrap;
    }
}

uint16_t PackedDriver::add_raw(const std::vector<PackedDescriptor>& descriptors) {
    const uint16_t id = next_id_++;
    const uint16_t first = place_;
    for (size_t i = 0; i < descriptors.size(); ++i) {
        PackedDescriptor d = descriptors[i];
        d.flags = static_cast<uint16_t>(d.flags ^ (wrap_ ? kAvailable : kUsed));
        d.id = i + 1 == descriptors.size() ? id : uint16_t{0x6666};
        const uint64_t at = descriptors_ + uint64_t{kDescriptorSize} * place_;
        memory_.write_bytes(Gpa{at}, std::as_bytes(std::span(&d, 1)).first(14));
        // The first one's flags wait for publish().
        if (i == 0) first_.emplace_back(first, d.flags);
        if (i != 0) poke<uint16_t>(at + 14, d.flags);
        advance(place_, wrap_, 1);
    }
    out_[id] = static_cast<uint16_t>(descriptors.size());
    batch_ = static_cast<uint16_t>(batch_ + descriptors.size());
    return id;
}

uint16_t PackedDriver::add(const Buffers& buffers) {
    std::vector<PackedDescriptor> descriptors;
    for (size_t i = 0; i < buffers.size(); ++i) {
        const unsigned flags =
            (i + 1 == buffers.size() ? 0u : unsigned{kNext}) | (buffers[i].writable ? unsigned{kWrite} : 0u);
        descriptors.push_back({buffers[i].address, buffers[i].length, 0, static_cast<uint16_t>(flags)});
    }
    return add_raw(descriptors);
}

uint16_t PackedDriver::add_indirect(const Buffers& buffers, uint64_t table, unsigned flags) {
    for (size_t i = 0; i < buffers.size(); ++i) {
        const uint16_t bits = buffers[i].writable ? uint16_t{kWrite} : uint16_t{0};
        memory_.write(Gpa{table + i * kDescriptorSize},
                      PackedDescriptor{buffers[i].address, buffers[i].length, 0x5555, bits});
    }
    const auto length = static_cast<uint32_t>(buffers.size() * kDescriptorSize);
    return add_raw({{table, length, 0, static_cast<uint16_t>(kIndirect | flags)}});
}

bool PackedDriver::publish() {
    for (const auto& [place, flags] : first_)
        poke<uint16_t>(descriptors_ + uint64_t{kDescriptorSize} * place + 14, flags);
    first_.clear();
    const uint16_t batch = std::exchange(batch_, uint16_t{0});
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    const auto word = peek<uint32_t>(device_area_);
    if (word >> 16 != kEventAtDescriptor) return word >> 16 == kEventsOn;
    // 2.8.10, one by one: did this batch fill the descriptor in question, in the lap in question?
    uint16_t place = place_;
    bool wrap = wrap_;
    for (uint16_t i = 0; i < batch; ++i) {
        wrap = place == 0 ? !wrap : wrap;
        place = static_cast<uint16_t>((place == 0 ? size_ : place) - 1);
        if ((word & 0xffff) == (place | (wrap ? unsigned{kEventWrap} : 0u))) return true;
    }
    return false;
}

std::optional<Used> PackedDriver::get_used() {
    const uint64_t at = descriptors_ + uint64_t{kDescriptorSize} * seen_;
    const auto flags = peek<uint16_t>(at + 14);
    if (((flags & kAvailable) != 0) != seen_wrap_ || ((flags & kUsed) != 0) != seen_wrap_)
        return std::nullopt;
    const auto id = peek<uint16_t>(at + 12);
    // 2.8.4: the length counts only where something was written.
    const Used used{id, (flags & kWrite) != 0 ? peek<uint32_t>(at + 8) : 0};
    advance(seen_, seen_wrap_, out_[id]);
    out_.erase(id);
    return used;
}

void PackedDriver::set_interrupts(bool on) {
    poke<uint32_t>(driver_area_, uint32_t{on ? kEventsOn : kEventsOff} << 16);
}

void PackedDriver::interrupt_after(uint16_t more) {
    uint16_t place = seen_;
    bool wrap = seen_wrap_;
    advance(place, wrap, more);
    poke<uint32_t>(driver_area_,
                   uint32_t{kEventAtDescriptor} << 16 | place | (wrap ? unsigned{kEventWrap} : 0u));
}

}  // namespace carrel::virtio::test
