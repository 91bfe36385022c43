// The driver's side of a virtqueue, for tests: it builds chains as a real driver does, and hands out the
// addresses of everything so that a test can misbehave.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <ostream>
#include <utility>
#include <vector>

#include "devices/virtio/queue/queue_state.h"
#include "devices/virtio/queue/rings.h"
#include "vmm/memory/guest_memory.h"

namespace carrel::virtio::test {

// Two ranges of RAM with a hole between them, as above 3 GiB, but small.
inline constexpr uint64_t kLowEnd = 4 * kMiB;
inline constexpr uint64_t kHigh = 16 * kMiB;
inline constexpr uint64_t kHighEnd = kHigh + 64 * kKiB;
std::unique_ptr<GuestMemory> make_memory();

// Where the drivers put their areas: room for the largest queues. Data begins at kData.
inline constexpr uint64_t kDescriptors = 0x10000;
inline constexpr uint64_t kDriverArea = 0x90000;
inline constexpr uint64_t kDeviceArea = 0xb0000;
inline constexpr uint64_t kTables = 0x100000;  // of indirect descriptors
inline constexpr uint64_t kData = 0x200000;

struct Buffer {
    uint64_t address;
    uint32_t length;
    bool writable = false;
};
using Buffers = std::vector<Buffer>;

struct Used {
    uint32_t id;
    uint32_t length;
    bool operator==(const Used&) const = default;
    // For messages of tests.
    friend std::ostream& operator<<(std::ostream& out, const Used& used) {
        return out << "chain " << used.id << ", " << used.length << " bytes";
    }
};

class Driver {
  public:
    // Its areas lie `shift` bytes behind the addresses above.
    Driver(GuestMemory& memory, uint16_t size, const QueueFeatures& features, uint64_t shift)
        : memory_(memory), size_(size), features_(features), shift_(shift) {}
    virtual ~Driver() = default;
    Driver(const Driver&) = delete;
    Driver& operator=(const Driver&) = delete;

    const QueueFeatures& features() const { return features_; }
    // What the transport would hand to the device.
    QueueState state() const;

    // Puts a chain into the ring, not yet available; returns what names it. At most size() descriptors are
    // out at a time.
    virtual uint16_t add(const Buffers& buffers) = 0;
    // The same through a table at `table`; `flags` besides kIndirect.
    virtual uint16_t add_indirect(const Buffers& buffers, uint64_t table, unsigned flags = 0) = 0;
    // Makes what was added available. Whether the device asked to be told.
    virtual bool publish() = 0;
    // The next chain that came back.
    virtual std::optional<Used> get_used() = 0;
    // Without event indices: interrupts wanted or not.
    virtual void set_interrupts(bool on) = 0;
    // With them: an interrupt when `more` (0: the very next) descriptors or used elements after what
    // get_used() has given have gone over.
    virtual void interrupt_after(uint16_t more) = 0;

    template <class T>
    void poke(uint64_t address, T value) {
        __atomic_store_n(reinterpret_cast<T*>(memory_.window(Gpa{address}, sizeof value)->bytes().data()),
                         value, __ATOMIC_RELEASE);
    }
    template <class T>
    T peek(uint64_t address) const {
        return __atomic_load_n(reinterpret_cast<const T*>(memory_.slice(Gpa{address}, sizeof(T))->data()),
                               __ATOMIC_ACQUIRE);
    }

  protected:
    GuestMemory& memory_;
    const uint16_t size_;
    const QueueFeatures features_;
    const uint64_t shift_;
    const uint64_t descriptors_ = kDescriptors + shift_;
    const uint64_t driver_area_ = kDriverArea + shift_;
    const uint64_t device_area_ = kDeviceArea + shift_;
};

class SplitDriver final : public Driver {
  public:
    SplitDriver(GuestMemory& memory, uint16_t size, QueueFeatures features, uint64_t shift = 0);

    uint16_t add(const Buffers& buffers) override;
    uint16_t add_indirect(const Buffers& buffers, uint64_t table, unsigned flags = 0) override;
    bool publish() override;
    std::optional<Used> get_used() override;
    void set_interrupts(bool on) override;
    void interrupt_after(uint16_t more) override;

    // To misbehave with.
    void set_descriptor(uint64_t table, size_t index, const SplitDescriptor& descriptor);
    void offer(uint16_t head);  // an entry of the available ring, not yet visible
    uint16_t available() const { return available_; }
    uint16_t used_index() const { return peek<uint16_t>(device_area_ + kRingIndex); }

  private:
    uint16_t take_free();
    std::vector<uint16_t> free_;
    std::map<uint32_t, std::vector<uint16_t>> out_;  // by head: its descriptors
    uint16_t available_ = 0;
    uint16_t visible_ = 0;
    uint16_t seen_ = 0;
};

class PackedDriver final : public Driver {
  public:
    PackedDriver(GuestMemory& memory, uint16_t size, QueueFeatures features, uint64_t shift = 0);

    uint16_t add(const Buffers& buffers) override;
    uint16_t add_indirect(const Buffers& buffers, uint64_t table, unsigned flags = 0) override;
    bool publish() override;
    std::optional<Used> get_used() override;
    void set_interrupts(bool on) override;
    void interrupt_after(uint16_t more) override;

    // To misbehave with: descriptors with any flags, at the next places; kAvailable and kUsed are set as
    // they should be, turned round by the same flags in `d`.
    uint16_t add_raw(const std::vector<PackedDescriptor>& descriptors);
    uint16_t place() const { return place_; }

  private:
    void advance(uint16_t& place, bool& wrap, size_t by) const;
    std::vector<std::pair<uint16_t, uint16_t>> first_;  // place and flags of the chains not yet available
    std::map<uint16_t, uint16_t> out_;                  // by id: how many descriptors
    uint16_t next_id_ = 0x7000;                         // any numbers will do
    uint16_t place_ = 0;
    bool wrap_ = true;
    uint16_t batch_ = 0;
    uint16_t seen_ = 0;
    bool seen_wrap_ = true;
};

std::unique_ptr<Driver> make_driver(GuestMemory& memory, uint16_t size, const QueueFeatures& features,
                                    uint64_t shift = 0);

}  // namespace carrel::virtio::test
