#include "vmm/bus/bus.h"

#include <fmt/format.h>

#include <algorithm>

namespace carrel {

Bus::Bus() {
    MutexLock lock(mutex_);
    snapshots_.push_back(std::make_unique<const Snapshot>());
    current_.store(snapshots_.back().get(), std::memory_order_release);
}

Bus::~Bus() = default;

Result<void> Bus::attach(uint64_t base, uint64_t size, Device& device) {
    MutexLock lock(mutex_);
    if (size == 0 || base + (size - 1) < base)
        return usage_error(fmt::format("{}: empty or wrapping range", device.name()));
    const auto after =
        std::find_if(next_.begin(), next_.end(), [base](const Entry& e) { return e.base > base; });
    const bool hits_next = after != next_.end() && after->base - base < size;
    const bool hits_previous =
        after != next_.begin() && base - std::prev(after)->base < std::prev(after)->size;
    if (hits_next || hits_previous) {
        const Entry& other = hits_next ? *after : *std::prev(after);
        return usage_error(fmt::format("{} at {:#x} overlaps {} at {:#x}", device.name(), base,
                                       other.device->name(), other.base));
    }
    next_.insert(after, Entry{base, size, &device});
    if (std::find(devices_.begin(), devices_.end(), &device) == devices_.end()) devices_.push_back(&device);
    return {};
}

void Bus::publish() {
    MutexLock lock(mutex_);
    snapshots_.push_back(std::make_unique<const Snapshot>(next_));
    current_.store(snapshots_.back().get(), std::memory_order_release);
}

const Bus::Entry* Bus::find(uint64_t address) const {
    const Snapshot& snapshot = *current_.load(std::memory_order_acquire);
    const auto after = std::upper_bound(snapshot.begin(), snapshot.end(), address,
                                        [](uint64_t a, const Entry& entry) { return a < entry.base; });
    if (after == snapshot.begin()) return nullptr;
    const Entry& entry = *std::prev(after);
    return address - entry.base < entry.size ? &entry : nullptr;
}

// How much of an access belongs to `entry`; a byte at a time where nobody answers, so that a later device
// gets its own.
size_t Bus::part(uint64_t address, size_t length, const Entry* entry) const {
    if (entry == nullptr) return 1;
    return static_cast<size_t>(std::min<uint64_t>(length, entry->size - (address - entry->base)));
}

void Bus::count_unmapped(uint64_t address) {
    unmapped_.fetch_add(1, std::memory_order_relaxed);
    last_unmapped_.store(address, std::memory_order_relaxed);
}

void Bus::read(uint64_t address, std::span<std::byte> data) {
    bool told = false;
    while (!data.empty()) {
        const Entry* const entry = find(address);
        const auto mine = data.first(part(address, data.size(), entry));
        if (entry != nullptr) {
            entry->device->read(address - entry->base, mine);
        } else {
            fill_ones(mine);
            if (!std::exchange(told, true)) count_unmapped(address);
        }
        address += mine.size();
        data = data.subspan(mine.size());
    }
}

void Bus::write(uint64_t address, std::span<const std::byte> data) {
    bool told = false;
    while (!data.empty()) {
        const Entry* const entry = find(address);
        const auto mine = data.first(part(address, data.size(), entry));
        if (entry != nullptr) {
            entry->device->write(address - entry->base, mine);
        } else if (!std::exchange(told, true)) {
            count_unmapped(address);
        }
        address += mine.size();
        data = data.subspan(mine.size());
    }
}

std::vector<Device*> Bus::devices() const {
    MutexLock lock(mutex_);
    return devices_;
}

}  // namespace carrel
