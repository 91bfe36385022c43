#include "vmm/kvm/coalesced_ring.h"

#include <algorithm>
#include <cstring>

#include "vmm/model/gpa.h"

namespace carrel::kvm {

CoalescedRing::CoalescedRing(void* page)
    : ring_(static_cast<kvm_coalesced_mmio_ring*>(page)),
      capacity_((kPageSize - sizeof(kvm_coalesced_mmio_ring)) / sizeof(kvm_coalesced_mmio)) {}

bool CoalescedRing::empty() const {
    return __atomic_load_n(&ring_->first, __ATOMIC_RELAXED) ==
           __atomic_load_n(&ring_->last, __ATOMIC_ACQUIRE);
}

bool CoalescedRing::peek(uint32_t skip, Write& write) const {
    const uint32_t first = __atomic_load_n(&ring_->first, __ATOMIC_RELAXED) % capacity_;
    const uint32_t last = __atomic_load_n(&ring_->last, __ATOMIC_ACQUIRE) % capacity_;
    if (skip >= (last + capacity_ - first) % capacity_) return false;
    const kvm_coalesced_mmio& entry = ring_->coalesced_mmio[(first + skip) % capacity_];
    write.address = entry.phys_addr;
    write.length = static_cast<uint8_t>(std::min<uint32_t>(entry.len, sizeof write.data));
    write.port = entry.pio != 0;
    std::memcpy(write.data, entry.data, sizeof write.data);
    return true;
}

void CoalescedRing::pop(uint32_t count) {
    const uint32_t first = __atomic_load_n(&ring_->first, __ATOMIC_RELAXED);
    __atomic_store_n(&ring_->first, (first + count) % capacity_, __ATOMIC_RELEASE);
}

}  // namespace carrel::kvm
