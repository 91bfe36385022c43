#include "vmm/bus/bus.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "vmm/base/check.h"

namespace carrel {

Bus::Bus(size_t readers) : readers_(readers) {
    MutexLock lock(mutex_);
    live_ = std::make_unique<const Snapshot>();
    current_.store(live_.get(), std::memory_order_seq_cst);
}

Bus::~Bus() = default;

Result<void> Bus::insert(const Entry& entry) {
    if (entry.size == 0 || entry.base + (entry.size - 1) < entry.base)
        return usage_error(fmt::format("{}: empty or wrapping range", entry.device->name()));
    const auto after = std::find_if(next_.begin(), next_.end(),
                                    [&entry](const Entry& other) { return other.base > entry.base; });
    const bool hits_next = after != next_.end() && after->base - entry.base < entry.size;
    const bool hits_previous =
        after != next_.begin() && entry.base - std::prev(after)->base < std::prev(after)->size;
    if (hits_next || hits_previous) {
        const Entry& other = hits_next ? *after : *std::prev(after);
        return usage_error(fmt::format("{} at {:#x} overlaps {} at {:#x}", entry.device->name(), entry.base,
                                       other.device->name(), other.base));
    }
    next_.insert(after, entry);
    return {};
}

// Whoever attached a device knows where it is: it not being there is our bug.
Bus::Entry Bus::take(const Device& device, uint64_t base) {
    const auto found = std::find_if(next_.begin(), next_.end(), [&](const Entry& entry) {
        return entry.base == base && entry.device == &device;
    });
    CHECK(found != next_.end());
    const Entry taken = *found;
    next_.erase(found);
    return taken;
}

Result<void> Bus::attach(uint64_t base, uint64_t size, Device& device) {
    MutexLock lock(mutex_);
    TRY(insert(Entry{base, size, &device}));
    if (std::find(devices_.begin(), devices_.end(), &device) == devices_.end()) devices_.push_back(&device);
    return {};
}

Result<void> Bus::move(const Device& device, uint64_t from, uint64_t to) {
    MutexLock lock(mutex_);
    const Entry old = take(device, from);
    auto moved = insert(Entry{to, old.size, old.device});
    if (!moved.ok()) CHECK(insert(old).ok());
    return moved;
}

void Bus::detach(const Device& device, uint64_t base) {
    MutexLock lock(mutex_);
    const Entry taken = take(device, base);
    const bool elsewhere = std::any_of(next_.begin(), next_.end(),
                                       [&](const Entry& entry) { return entry.device == taken.device; });
    if (!elsewhere) std::erase(devices_, taken.device);
}

void Bus::publish() {
    MutexLock lock(mutex_);
    retired_.push_back(Retired{std::move(live_), readers_.generation()});
    live_ = std::make_unique<const Snapshot>(next_);
    current_.store(live_.get(), std::memory_order_seq_cst);
    readers_.advance();
    reclaim(readers_.oldest());
}

void Bus::reclaim(uint64_t oldest) {
    std::erase_if(retired_, [oldest](const Retired& old) { return old.generation < oldest; });
}

// Readers tell nobody that they leave, which would cost each of them something; an access takes microseconds.
void Bus::synchronize() {
    constexpr std::chrono::microseconds kLook{20};
    const uint64_t wanted = readers_.generation();
    while (readers_.oldest() < wanted) std::this_thread::sleep_for(kLook);
    MutexLock lock(mutex_);
    reclaim(
        wanted);  // not what is the oldest now: who noted an old generation since then saw the new snapshot
}

const Bus::Entry* Bus::find_in(const Snapshot& snapshot, uint64_t address) {
    const auto after = std::upper_bound(snapshot.begin(), snapshot.end(), address,
                                        [](uint64_t a, const Entry& entry) { return a < entry.base; });
    if (after == snapshot.begin()) return nullptr;
    const Entry& entry = *std::prev(after);
    return address - entry.base < entry.size ? &entry : nullptr;
}

std::optional<Bus::Entry> Bus::find(uint64_t address) const {
    const BusReaders::Stay stay(readers_, 0);
    const Entry* const entry = find_in(current(), address);
    return entry == nullptr ? std::nullopt : std::optional(*entry);
}

// How much of an access belongs to `entry`; a byte at a time where nobody answers, so that a later device
// gets its own.
size_t Bus::part(uint64_t address, size_t length, const Entry* entry) {
    if (entry == nullptr) return 1;
    return static_cast<size_t>(std::min<uint64_t>(length, entry->size - (address - entry->base)));
}

void Bus::count_unmapped(uint64_t address) {
    unmapped_.fetch_add(1, std::memory_order_relaxed);
    last_unmapped_.store(address, std::memory_order_relaxed);
}

void Bus::read(uint64_t address, std::span<std::byte> data, size_t lane) {
    const BusReaders::Stay stay(readers_, lane);
    const Snapshot& snapshot = current();
    bool told = false;
    while (!data.empty()) {
        const Entry* const entry = find_in(snapshot, address);
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

void Bus::write(uint64_t address, std::span<const std::byte> data, size_t lane) {
    const BusReaders::Stay stay(readers_, lane);
    const Snapshot& snapshot = current();
    bool told = false;
    while (!data.empty()) {
        const Entry* const entry = find_in(snapshot, address);
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

size_t Bus::retired() const {
    MutexLock lock(mutex_);
    return retired_.size();
}

}  // namespace carrel
