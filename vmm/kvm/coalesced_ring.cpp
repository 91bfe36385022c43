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

bool CoalescedRing::take(Write& write) {
    if (empty()) return false;
    const uint32_t first = __atomic_load_n(&ring_->first, __ATOMIC_RELAXED);
    const kvm_coalesced_mmio& entry = ring_->coalesced_mmio[first % capacity_];
    write.address = entry.phys_addr;
    write.length = static_cast<uint8_t>(std::min<uint32_t>(entry.len, sizeof write.data));
    write.port = entry.pio != 0;
    std::memcpy(write.data, entry.data, sizeof write.data);
    __atomic_store_n(&ring_->first, (first + 1) % capacity_, __ATOMIC_RELEASE);
    return true;
}

}  // namespace carrel::kvm
