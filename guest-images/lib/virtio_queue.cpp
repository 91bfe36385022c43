#include "lib/virtio_queue.h"

#include "lib/clock_x86.h"
#include "lib/cpu_x86.h"
#include "lib/physical.h"

namespace guest {
namespace {

// Offsets in the available and the used ring, 2.7.6 and 2.7.8.
constexpr unsigned kIndex = 2, kEntries = 4, kUsedSize = 8;

std::uint16_t flags_of(const Buffer* buffers, unsigned i, unsigned count) {
    return static_cast<std::uint16_t>(buffers[i].flags | (i + 1 < count ? kDescNext : 0));
}

void clear(QueueMemory& memory) {
    auto* words = reinterpret_cast<volatile std::uint64_t*>(&memory);
    for (unsigned i = 0; i < (sizeof(QueueMemory) - sizeof(memory.table)) / 8; ++i) words[i] = 0;
}

}  // namespace

void VirtioQueue::begin(QueueMemory& memory, std::uint16_t size, bool packed) {
    *this = VirtioQueue();
    clear(memory);
    memory_ = &memory;
    size_ = size;
    packed_ = packed;
}

QueuePlace VirtioQueue::place() const {
    return {size_, reinterpret_cast<std::uint64_t>(memory_->descriptors), driver_area(), device_area()};
}

volatile SplitDescriptor& VirtioQueue::split(unsigned i) const {
    return reinterpret_cast<volatile SplitDescriptor*>(memory_->descriptors)[i];
}

volatile PackedDescriptor& VirtioQueue::packed(unsigned i) const {
    return reinterpret_cast<volatile PackedDescriptor*>(memory_->descriptors)[i];
}

void VirtioQueue::set_available(unsigned entry, std::uint16_t head) const {
    write_physical(driver_area() + kEntries + 2u * (entry % size_), head);
}

void VirtioQueue::set_available_index(std::uint16_t index) {
    available_ = index;
    write_physical(driver_area() + kIndex, index);  // x86 keeps stores in order
}

void VirtioQueue::fill_table(unsigned i, const Buffer& buffer, std::uint16_t next) const {
    const std::uint64_t at = table() + 16u * i;
    write_physical(at, buffer.address);
    write_physical(at + 8, buffer.length);
    // Split tables have flags and next, packed ones id and flags, of which only kDescWrite counts (2.8.7).
    write_physical(at + 12, packed_ ? std::uint16_t{0} : buffer.flags);
    write_physical(at + 14, packed_ ? buffer.flags : next);
}

void VirtioQueue::offer(const Buffer* buffers, unsigned count) {
    packed_ ? offer_packed(buffers, count) : offer_split(buffers, count);
}

void VirtioQueue::offer_indirect(const Buffer* buffers, unsigned count) {
    for (unsigned i = 0; i < count; ++i) {
        Buffer entry = buffers[i];
        entry.flags = flags_of(buffers, i, count);
        fill_table(i, entry, static_cast<std::uint16_t>(i + 1));
    }
    const Buffer whole{table(), count * 16, kDescIndirect};
    offer(&whole, 1);
}

void VirtioQueue::offer_split(const Buffer* buffers, unsigned count) {
    const unsigned head = next_;
    for (unsigned i = 0; i < count; ++i) {
        volatile SplitDescriptor& d = split(next_);
        next_ = (next_ + 1) % size_;
        d.address = buffers[i].address;
        d.length = buffers[i].length;
        d.flags = flags_of(buffers, i, count);
        d.next = static_cast<std::uint16_t>(next_);
    }
    set_available(available_, static_cast<std::uint16_t>(head));
    set_available_index(static_cast<std::uint16_t>(available_ + 1));
}

// The first descriptor's flags come last (2.8.17); its number is the chain's id.
void VirtioQueue::offer_packed(const Buffer* buffers, unsigned count) {
    const unsigned head = next_;
    std::uint16_t head_flags = 0;
    counts_[head] = static_cast<std::uint16_t>(count);
    for (unsigned i = 0; i < count; ++i) {
        volatile PackedDescriptor& d = packed(next_);
        const auto flags = static_cast<std::uint16_t>(flags_of(buffers, i, count) | owner_flags());
        d.address = buffers[i].address;
        d.length = buffers[i].length;
        d.id = static_cast<std::uint16_t>(head);
        if (i == 0) head_flags = flags;
        if (i != 0) d.flags = flags;
        if (++next_ == size_) next_ = 0, wrap_ = !wrap_;
    }
    packed(head).flags = head_flags;
}

bool VirtioQueue::collect(Used& used) {
    return packed_ ? collect_packed(used) : collect_split(used);
}

bool VirtioQueue::collect_split(Used& used) {
    if (read_physical<std::uint16_t>(device_area() + kIndex) == used_) return false;
    const std::uint64_t element = device_area() + kEntries + kUsedSize * (used_ % size_);
    used = {read_physical<std::uint32_t>(element), read_physical<std::uint32_t>(element + 4)};
    ++used_;
    return true;
}

bool VirtioQueue::collect_packed(Used& used) {
    const volatile PackedDescriptor& d = packed(used_);
    const std::uint16_t flags = d.flags;
    if (((flags & kDescAvailable) != 0) != used_wrap_ || ((flags & kDescUsed) != 0) != used_wrap_)
        return false;
    used = {d.id, d.length};
    used_ = static_cast<std::uint16_t>(used_ + counts_[used.id % QueueMemory::kMost]);
    if (used_ >= size_) used_ = static_cast<std::uint16_t>(used_ - size_), used_wrap_ = !used_wrap_;
    return true;
}

bool VirtioQueue::wait(Used& used, std::uint64_t microseconds) {
    const std::uint64_t start = rdtsc();
    while (!collect(used)) {
        if (tsc_to_us(rdtsc() - start) > microseconds) return false;
        pause();
    }
    return true;
}

}  // namespace guest
