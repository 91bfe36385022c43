// DescriptorChain: one request of the driver, lent to the device.
#pragma once

#include <cstdint>
#include <span>

#include "devices/virtio/queue/pieces.h"

namespace carrel::virtio {

class VirtQueue;
struct ChainSlot;

// Move-only, and ended exactly once, by complete() or abandon(): a chain that is dropped otherwise is our
// bug and fails a CHECK, since the driver would wait for it for ever. Chains of a queue may end in any order.
// Used under the lock that guards its queue, and never after the queue.
class [[nodiscard]] DescriptorChain {
  public:
    DescriptorChain(DescriptorChain&& other) noexcept;
    DescriptorChain& operator=(DescriptorChain&& other) noexcept;  // onto a chain that has ended
    DescriptorChain(const DescriptorChain&) = delete;
    DescriptorChain& operator=(const DescriptorChain&) = delete;
    ~DescriptorChain();

    // What names the chain between driver and device; for messages.
    uint16_t head() const;
    ReadablePieces readable() const;
    WritablePieces writable() const;
    uint32_t readable_bytes() const;
    uint32_t writable_bytes() const;

    // What was written into writable(), for dirty tracking, where the bytes are not among the first that
    // complete() is told: a status behind data that wasn't read, say. Before complete().
    void wrote(std::span<const std::byte> bytes) const;

    // Gives the chain back: the first `written` bytes of writable() hold data. The driver sees it after the
    // queue's next publish().
    void complete(uint32_t written);
    // As if it had never been taken: the queue's next pop() finds it again. For the chain that was taken
    // last, of those that are still in flight. Where one that was malformed has gone back after it, it can't
    // be, and goes back, too, with length 0.
    void put_back();
    // In a reset: nothing is given back, and the queue is of no further use.
    void abandon();

  private:
    friend class VirtQueue;
    DescriptorChain(VirtQueue& queue, ChainSlot& slot) : queue_(&queue), slot_(&slot) {}
    ChainSlot& end();

    VirtQueue* queue_;
    ChainSlot* slot_;  // null when it has ended
};

}  // namespace carrel::virtio
