// Bus: from an address to a Device. One for ports, one for memory-mapped registers.
//
// What vCPU threads look at is an immutable, sorted snapshot behind one atomic pointer; attach() builds a new
// one and publish() puts it in place. A look-up takes no lock.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "vmm/base/mutex.h"
#include "vmm/base/result.h"
#include "vmm/bus/device.h"

namespace carrel {

class Bus {
  public:
    struct Entry {
        uint64_t base;
        uint64_t size;
        Device* device;  // outlives the bus
    };

    Bus();
    ~Bus();
    Bus(const Bus&) = delete;
    Bus& operator=(const Bus&) = delete;

    // Adds `device` at [base, base + size) to the next snapshot. An overlap is our bug or a guest's BAR: an
    // Error.
    Result<void> attach(uint64_t base, uint64_t size, Device& device) EXCLUDES(mutex_);
    // Makes what was attached visible. Any thread. Old snapshots live as long as the Bus (a moved BAR, issue
    // 4, will free them earlier).
    void publish() EXCLUDES(mutex_);

    // From vCPU threads. An access that no device claims reads all ones and is counted. An access that runs
    // out of its device's range is split: the device sees its part, the rest goes to whoever comes next.
    void read(uint64_t address, std::span<std::byte> data);
    void write(uint64_t address, std::span<const std::byte> data);

    // The device at `address` and the offset in it; null where there is none.
    const Entry* find(uint64_t address) const;
    uint64_t unmapped() const { return unmapped_.load(std::memory_order_relaxed); }
    // The last address that nobody answered; for -v.
    uint64_t last_unmapped() const { return last_unmapped_.load(std::memory_order_relaxed); }

    // Every device once, in the order attached.
    std::vector<Device*> devices() const EXCLUDES(mutex_);

  private:
    using Snapshot = std::vector<Entry>;  // sorted by base, disjoint
    size_t part(uint64_t address, size_t length, const Entry* entry) const;
    void count_unmapped(uint64_t address);

    std::atomic<const Snapshot*> current_;
    std::atomic<uint64_t> unmapped_{0};
    std::atomic<uint64_t> last_unmapped_{0};
    mutable Mutex mutex_;
    Snapshot next_ GUARDED_BY(mutex_);
    std::vector<std::unique_ptr<const Snapshot>> snapshots_ GUARDED_BY(mutex_);
    std::vector<Device*> devices_ GUARDED_BY(mutex_);
};

}  // namespace carrel
