#include "vmm/kvm/coalesced_ring.h"

#include <algorithm>
#include <cstring>

#include "vmm/model/gpa.h"

namespace carrel::kvm {

namespace {
// KVM_COALESCED_MMIO_MAX: what fits into the page behind the header.
constexpr uint32_t kCapacity = (kPageSize - sizeof(abi::CoalescedRingHeader)) / sizeof(kvm_coalesced_mmio);
}  // namespace

CoalescedRing::CoalescedRing(void* page) : ring_(static_cast<abi::CoalescedRingHeader*>(page)) {}

const kvm_coalesced_mmio& CoalescedRing::entry(uint32_t index) const {
    return reinterpret_cast<const kvm_coalesced_mmio*>(ring_ + 1)[index % kCapacity];
}

bool CoalescedRing::empty() const {
    return __atomic_load_n(&ring_->first, __ATOMIC_RELAXED) ==
           __atomic_load_n(&ring_->last, __ATOMIC_ACQUIRE);
}

bool CoalescedRing::peek(uint32_t skip, Write& write) const {
    const uint32_t first = __atomic_load_n(&ring_->first, __ATOMIC_RELAXED) % kCapacity;
    const uint32_t last = __atomic_load_n(&ring_->last, __ATOMIC_ACQUIRE) % kCapacity;
    if (skip >= (last + kCapacity - first) % kCapacity) return false;
    const kvm_coalesced_mmio& found = entry(first + skip);
    write.address = found.phys_addr;
    write.length = static_cast<uint8_t>(std::min<uint32_t>(found.len, sizeof write.data));
    write.port = found.pio != 0;
    std::memcpy(write.data, found.data, sizeof write.data);
    return true;
}

void CoalescedRing::pop(uint32_t count) {
    const uint32_t first = __atomic_load_n(&ring_->first, __ATOMIC_RELAXED);
    __atomic_store_n(&ring_->first, (first + count) % kCapacity, __ATOMIC_RELEASE);
}

}  // namespace carrel::kvm
