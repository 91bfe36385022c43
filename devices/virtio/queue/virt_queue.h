// VirtQueue: one queue of a device, split or packed, as the device sees it. VIRTIO 1.3, sections 2.6 to 2.8.
//
//   for (;;) {
//       auto next = queue.pop();
//       …a DescriptorChain: work, complete(), now or later, in any order; Malformed: count it, go on;
//         QueueError: NEEDS_RESET, stop; Busy: stop until a chain has been completed; Empty: break
//   }
//   queue.publish();                       // all completions since the last one become visible at once
//   if (queue.should_interrupt()) …        // one interrupt for all of them, if the driver wants any
//
// Before it waits for the doorbell, a device does
//
//   while (queue.enable_notifications()) …pop as above…
//
// since chains that came before the driver could see that we want to be told again are not announced.
//
// What the driver can do wrong ends in three ways. A chain that can't be used is given back at once with
// length 0 (Malformed), and the queue goes on. Where it can't be known what the driver made available, the
// queue is broken: nothing is given back any more, not even chains in flight, until the driver resets the
// device (QueueError, the same again at each pop). A flag or an event index that makes no sense costs an
// interrupt too many.
//
// Nothing that decides where we read or write is kept in guest memory, nor read twice.
//
// One thread at a time (the device's mutex). No system calls, no allocation after open(). Before a quiesce is
// over the queue is closed: its pointers into guest memory go with it, state() stays.
//
// Missing: VIRTIO_F_IN_ORDER, VIRTIO_F_NOTIFICATION_DATA; chains that stay with the device across a save.
#pragma once

#include <cstdint>
#include <memory>
#include <variant>

#include "devices/virtio/queue/chain_builder.h"
#include "devices/virtio/queue/chain_slots.h"
#include "devices/virtio/queue/descriptor_chain.h"
#include "devices/virtio/queue/packed_ring.h"
#include "devices/virtio/queue/queue_state.h"
#include "devices/virtio/queue/split_ring.h"
#include "vmm/memory/guest_memory.h"

namespace carrel::virtio {

// Nothing is available.
struct Empty {};
// A long chain is available, and there is no room for its pieces until another chain ends. Only with chains
// in flight.
struct Busy {};
// A chain is available, and the guest's memory quota has no room for what it names: it stays where it is.
// MemoryListener::on_memory_retry() tells when to try again.
struct NoMemory {};
// A chain that was given back for what is wrong with it.
struct Malformed {
    uint16_t head;
    const char* reason;
};
// The driver broke the protocol.
struct QueueError {
    const char* reason;
};
using PopResult = std::variant<Empty, Busy, NoMemory, DescriptorChain, Malformed, QueueError>;

class VirtQueue {
  public:
    using Opened = std::variant<std::unique_ptr<VirtQueue>, QueueError>;

    // The queue that the driver has enabled with `state`, or that was restored. `memory` outlives it. The
    // device looks into it once without a doorbell: there may be chains in it already. The error is the
    // driver's: areas that aren't RAM or aligned, a size that doesn't exist.
    static Opened open(GuestMemory& memory, const QueueState& state, const QueueFeatures& features);
    VirtQueue(GuestMemory& memory, const QueueState& state, const QueueFeatures& features);  // use open()
    ~VirtQueue();  // every chain has ended
    VirtQueue(const VirtQueue&) = delete;
    VirtQueue& operator=(const VirtQueue&) = delete;

    PopResult pop();
    void publish();
    // Whether the driver wants an interrupt for what was published since this was last asked.
    bool should_interrupt();

    // After this the driver tells us of the next chain. True: there is one already, don't wait.
    bool enable_notifications();
    // A hint, as the driver may already be on its way (2.7.10.2).
    void disable_notifications();

    uint16_t size() const { return state_.size; }
    uint16_t in_flight() const { return slots_.in_use(); }
    // How many chains are ready for pop(), by the driver's word; at most its size. Not for each chain: a
    // packed ring is looked through.
    uint16_t available() const;
    // For saving. Nothing in flight, everything published.
    const QueueState& state() const;

  private:
    friend class DescriptorChain;
    Complaint map();
    PopResult deliver(const Found& found);
    PopResult give_back_malformed(const Found& found);
    QueueError break_down(Complaint complaint);
    void put_used(uint16_t id, uint16_t descriptors, uint32_t written);
    void complete(ChainSlot& slot, uint32_t written);
    void put_back(ChainSlot& slot);
    void abandon(ChainSlot& slot);
    void close_windows(const ChainSlot& slot, uint32_t written);

    GuestMemory& memory_;
    const QueueFeatures features_;
    QueueState state_;
    std::variant<SplitRing, PackedRing> ring_;
    ChainBuilder builder_;
    ChainSlots slots_;
    // In the ring's descriptors (packed) or entries (split), both at most `size`.
    uint16_t out_ = 0;               // taken from the driver and not visibly given back
    uint16_t used_ = 0;              // of these, completed and not yet published
    Complaint complaint_ = nullptr;  // why it is broken
};

}  // namespace carrel::virtio
