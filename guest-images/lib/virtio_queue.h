// The driver's side of one virtqueue, split or packed (VIRTIO 1.3, sections 2.7 and 2.8): for requests that
// keep the rules, and with its rings open to whoever wants to break them. Polled; nothing is kept but where
// the next chain goes, so no more may be offered at a time than there is room for.
#pragma once
#include <cstdint>

namespace guest {

constexpr std::uint16_t kDescNext = 1, kDescWrite = 2, kDescIndirect = 4, kDescAvailable = 0x80,
                        kDescUsed = 0x8000;

struct SplitDescriptor {
    std::uint64_t address;
    std::uint32_t length;
    std::uint16_t flags, next;
};
struct PackedDescriptor {
    std::uint64_t address;
    std::uint32_t length;
    std::uint16_t id, flags;
};

// Room for one queue. Lies below 4 GiB, where addresses are physical ones.
struct alignas(4096) QueueMemory {
    static constexpr unsigned kMost = 16;   // descriptors
    static constexpr unsigned kTable = 64;  // of indirect ones
    unsigned char descriptors[kMost * 16];
    alignas(16) unsigned char driver_area[6 + 2 * kMost];
    alignas(16) unsigned char device_area[6 + 8 * kMost];
    alignas(16) unsigned char table[kTable * 16];
};

struct QueuePlace {
    std::uint16_t size;
    std::uint64_t descriptors, driver_area, device_area;
};

// One buffer of a chain. `flags`: kDescWrite, kDescIndirect; kDescNext is added where another follows.
struct Buffer {
    std::uint64_t address;
    std::uint32_t length;
    std::uint16_t flags = 0;
};

struct Used {
    std::uint32_t id, length;
};

class VirtioQueue {
  public:
    // An empty ring in cleared memory. The size is a power of two, at most QueueMemory::kMost.
    void begin(QueueMemory& memory, std::uint16_t size, bool packed);
    QueuePlace place() const;
    std::uint16_t size() const { return size_; }
    bool packed() const { return packed_; }

    // Makes one chain available: its descriptors follow each other.
    void offer(const Buffer* buffers, unsigned count);
    // The same in an indirect table, of which it fills `count` entries.
    void offer_indirect(const Buffer* buffers, unsigned count);
    // The next chain that came back.
    bool collect(Used& used);
    // The same, waiting.
    bool wait(Used& used, std::uint64_t microseconds);
    // Whether all that was made available has been collected.
    bool all_back() const { return packed_ ? used_ == next_ && used_wrap_ == wrap_ : used_ == available_; }

    // The rings themselves.
    volatile SplitDescriptor& split(unsigned i) const;
    volatile PackedDescriptor& packed(unsigned i) const;
    std::uint64_t table() const { return reinterpret_cast<std::uint64_t>(memory_->table); }
    void fill_table(unsigned i, const Buffer& buffer, std::uint16_t next) const;
    // Split: an entry of the available ring, and the index.
    void set_available(unsigned entry, std::uint16_t head) const;
    void set_available_index(std::uint16_t index);
    std::uint16_t available_index() const { return available_; }
    // Packed: what makes a descriptor available in this lap.
    std::uint16_t owner_flags() const { return wrap_ ? kDescAvailable : kDescUsed; }
    unsigned next() const { return next_; }

  private:
    void offer_split(const Buffer* buffers, unsigned count);
    void offer_packed(const Buffer* buffers, unsigned count);
    bool collect_split(Used& used);
    bool collect_packed(Used& used);
    std::uint64_t driver_area() const { return reinterpret_cast<std::uint64_t>(memory_->driver_area); }
    std::uint64_t device_area() const { return reinterpret_cast<std::uint64_t>(memory_->device_area); }

    QueueMemory* memory_ = nullptr;
    std::uint16_t size_ = 0;
    bool packed_ = false;
    unsigned next_ = 0;            // the next descriptor
    std::uint16_t available_ = 0;  // split: the index
    std::uint16_t used_ = 0;       // split: how many came back; packed: the place of the next
    bool wrap_ = true, used_wrap_ = true;
    std::uint16_t counts_[QueueMemory::kMost] = {};  // packed: descriptors of the chain that began here
};

}  // namespace guest
