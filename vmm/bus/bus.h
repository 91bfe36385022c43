// Bus: from an address to a Device. One for ports, one for memory-mapped registers.
//
// What vCPU threads look at is an immutable, sorted snapshot behind one atomic pointer; attach(), move() and
// detach() prepare a new one and publish() puts it in place. A look-up takes no lock. An old snapshot is
// freed when the last reader has left it (bus_readers.h).
//
// To take a device from a running guest: detach(), publish(), synchronize(); then nobody is inside the device
// and nobody comes any more, and it may be destroyed.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "vmm/base/mutex.h"
#include "vmm/base/result.h"
#include "vmm/bus/bus_readers.h"
#include "vmm/bus/device.h"

namespace carrel {

class Bus {
  public:
    struct Entry {
        uint64_t base;
        uint64_t size;
        Device* device;  // outlives the bus, or is taken away as above
    };

    // `readers`: how many threads may be inside at once without sharing a cache line.
    explicit Bus(size_t readers = 8);
    ~Bus();
    Bus(const Bus&) = delete;
    Bus& operator=(const Bus&) = delete;

    // attach, move and detach change the next snapshot; any thread, also inside an access.

    // Adds `device` at [base, base + size). An overlap is our bug or a guest's BAR: an Error, and nothing has
    // changed.
    Result<void> attach(uint64_t base, uint64_t size, Device& device) EXCLUDES(mutex_);
    // What `device` answers at `from` it answers at `to` from then on; in no snapshot at both or neither.
    // Errors as with attach: it stays where it was.
    Result<void> move(const Device& device, uint64_t from, uint64_t to) EXCLUDES(mutex_);
    // `device` no longer answers at `base`.
    void detach(const Device& device, uint64_t base) EXCLUDES(mutex_);
    // Makes it visible, to every access that begins afterwards. Any thread, also inside an access (a vCPU
    // moves a BAR): never waits for a reader.
    void publish() EXCLUDES(mutex_);
    // Returns when every access that could see what publish() replaced has ended. Never inside an access, nor
    // with a mutex held that a device takes: that would wait for itself.
    void synchronize() EXCLUDES(mutex_);

    // From vCPU threads. An access that no device claims reads all ones and is counted. An access that runs
    // out of its device's range is split: the device sees its part, the rest goes to whoever comes next.
    // `lane`: a number of the thread's own, see BusReaders; without one it is only slower beside others.
    void read(uint64_t address, std::span<std::byte> data, size_t lane = 0);
    void write(uint64_t address, std::span<const std::byte> data, size_t lane = 0);

    // Who answers at `address` at this moment; for tests and messages.
    std::optional<Entry> find(uint64_t address) const;
    uint64_t unmapped() const { return unmapped_.load(std::memory_order_relaxed); }
    // The last address that nobody answered; for -v.
    uint64_t last_unmapped() const { return last_unmapped_.load(std::memory_order_relaxed); }

    // Every device once, in the order attached; a moved one keeps its place.
    std::vector<Device*> devices() const EXCLUDES(mutex_);
    // Snapshots that wait for a reader to leave; for tests. Each publish() frees what it can.
    size_t retired() const EXCLUDES(mutex_);

  private:
    using Snapshot = std::vector<Entry>;  // sorted by base, disjoint
    struct Retired {
        std::unique_ptr<const Snapshot> snapshot;
        uint64_t generation;  // the last in which it was current
    };
    static const Entry* find_in(const Snapshot& snapshot, uint64_t address);
    static size_t part(uint64_t address, size_t length, const Entry* entry);
    const Snapshot& current() const { return *current_.load(std::memory_order_seq_cst); }
    void count_unmapped(uint64_t address);
    Result<void> insert(const Entry& entry) REQUIRES(mutex_);
    Entry take(const Device& device, uint64_t base) REQUIRES(mutex_);
    void reclaim(uint64_t oldest) REQUIRES(mutex_);  // frees what was replaced before this generation

    std::atomic<const Snapshot*> current_;
    mutable BusReaders readers_;
    mutable Mutex mutex_;
    Snapshot next_ GUARDED_BY(mutex_);
    std::unique_ptr<const Snapshot> live_ GUARDED_BY(mutex_);  // what current_ points to
    std::vector<Retired> retired_ GUARDED_BY(mutex_);
    std::vector<Device*> devices_ GUARDED_BY(mutex_);
    // Written by vCPU threads: not on the cache line of the first two.
    std::atomic<uint64_t> unmapped_{0};
    std::atomic<uint64_t> last_unmapped_{0};
};

}  // namespace carrel
