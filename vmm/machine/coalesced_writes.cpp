#include "vmm/machine/coalesced_writes.h"

#include <array>

namespace carrel {

void CoalescedWrites::drain() {
    kvm::CoalescedRing* const ring = vm_.coalesced();
    if (ring == nullptr || ring->empty()) return;
    MutexLock lock(mutex_);
    while (!ring->empty()) {
        const uint32_t count = deliver_some(*ring);
        ring->pop(count);
        delivered_ += count;
    }
}

// A run of bytes for the UART, or one write for another device; how many entries that was.
uint32_t CoalescedWrites::deliver_some(const kvm::CoalescedRing& ring) {
    std::array<std::byte, 256> bytes;
    uint32_t count = 0;
    kvm::CoalescedRing::Write write{};
    while (count < bytes.size() && ring.peek(count, write) && write.address == serial_port_) {
        bytes[count++] = write.data[0];
    }
    if (count != 0) {
        serial_.transmit(std::span(bytes).first(count));
        return count;
    }
    ports_.write(write.address, std::span(write.data).first(write.length));
    return 1;
}

uint64_t CoalescedWrites::delivered() const {
    MutexLock lock(mutex_);
    return delivered_;
}

}  // namespace carrel
