// BusReaders: who looks at a snapshot of a Bus right now, so that an old one is freed once the last has left.
//
// Publications are counted: a generation. A reader notes the generation that it begins with for as long as
// its access takes, in a slot on a cache line of its own:
//
//   reader                                      publisher (one at a time)
//     g = generation                              current = the new snapshot
//     slot: 0 → g          (a)                    generation += 1
//     use what current says (b)                   look at all slots (c)
//     slot: g → 0                                 free what was replaced before the oldest generation noted
//
// (a), (b), (c) and the store to `current` are sequentially consistent: where (c) misses (a), (b) comes after
// it and finds the new snapshot. A generation read too early only keeps a snapshot for longer. Nobody waits,
// and a reader may well be the publisher: a guest moves a BAR by an access to a device.
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace carrel {

class BusReaders {
  public:
    // Room for `slots` readers at a time on lines of their own; more than that are counted together, which
    // frees snapshots later.
    explicit BusReaders(size_t slots) : slots_(std::bit_ceil(slots) + 1) {}

    // One access, on the stack. Nested ones (a device that reads the bus) are readers of their own.
    class Stay {
      public:
        // `lane`: at which slot to begin. Threads with different ones share no line.
        Stay(BusReaders& readers, size_t lane) : readers_(readers), slot_(readers.enter(lane)) {}
        ~Stay() { readers_.leave(slot_); }
        Stay(const Stay&) = delete;
        Stay& operator=(const Stay&) = delete;

      private:
        BusReaders& readers_;
        std::atomic<uint64_t>* const slot_;  // null: in the crowd
    };

    uint64_t generation() const { return generation_.load(std::memory_order_relaxed); }
    // The publisher, after it has put the new snapshot in place.
    void advance() { generation_.fetch_add(1, std::memory_order_seq_cst); }
    // The oldest generation that may still be looked at; the present one where nobody looks.
    uint64_t oldest() const;

  private:
    static constexpr size_t kCacheLine = 64;
    struct alignas(kCacheLine) Slot {
        std::atomic<uint64_t> generation{0};  // 0: free
    };
    std::atomic<uint64_t>* enter(size_t lane);
    void leave(std::atomic<uint64_t>* slot);

    std::atomic<uint64_t>& crowd() { return slots_.back().generation; }

    std::vector<Slot> slots_;  // a power of two, and one that counts the readers that found none: the crowd
    std::atomic<uint64_t> generation_{1};
};

inline std::atomic<uint64_t>* BusReaders::enter(size_t lane) {
    const uint64_t now = generation_.load(std::memory_order_acquire);
    const size_t count = slots_.size() - 1;
    for (size_t tried = 0; tried < count; ++tried) {
        std::atomic<uint64_t>& slot = slots_[(lane + tried) & (count - 1)].generation;
        uint64_t free = 0;
        if (slot.compare_exchange_strong(free, now, std::memory_order_seq_cst)) return &slot;
    }
    crowd().fetch_add(1, std::memory_order_seq_cst);
    return nullptr;
}

inline void BusReaders::leave(std::atomic<uint64_t>* slot) {
    if (slot != nullptr) return slot->store(0, std::memory_order_release);
    crowd().fetch_sub(1, std::memory_order_release);
}

}  // namespace carrel
