#include "vmm/machine/coalesced_writes.h"

#include <array>

namespace carrel {
namespace {

bool belongs(const kvm::CoalescedRing::Write& write, const kvm::CoalescedZone& zone) {
    return write.port == zone.port && write.address == zone.base;
}

}  // namespace

void CoalescedWrites::add_stream(const kvm::CoalescedZone& zone, TransmitRegister& target) {
    streams_.push_back({zone, &target});
}

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

// A run of bytes for a UART, or one write for another device; how many entries that was.
uint32_t CoalescedWrites::deliver_some(const kvm::CoalescedRing& ring) {
    kvm::CoalescedRing::Write write{};
    if (!ring.peek(0, write)) return 0;
    for (const Stream& stream : streams_) {
        if (belongs(write, stream.zone)) return deliver_run(ring, stream);
    }
    Bus& bus = write.port ? ports_ : mmio_;
    bus.write(write.address, std::span(write.data).first(write.length));
    return 1;
}

uint32_t CoalescedWrites::deliver_run(const kvm::CoalescedRing& ring, const Stream& stream) {
    std::array<std::byte, 256> bytes;
    uint32_t count = 0;
    kvm::CoalescedRing::Write write{};
    while (count < bytes.size() && ring.peek(count, write) && belongs(write, stream.zone)) {
        bytes[count++] = write.data[0];
    }
    stream.target->transmit(std::span(bytes).first(count));
    return count;
}

uint64_t CoalescedWrites::delivered() const {
    MutexLock lock(mutex_);
    return delivered_;
}

}  // namespace carrel
