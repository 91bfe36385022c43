// CoalescedRing: the page in which KVM collects writes that need no answer (api.rst 4.116,
// KVM_CAP_COALESCED_PIO).
//
//   kvm_run of vCPU 0, page KVM_COALESCED_MMIO_PAGE_OFFSET:   first | last | entry 0 | entry 1 | …
//   KVM appends at `last`, we take at `first`; all vCPUs share it, and the kernel has its own lock for
//   appending.
#pragma once

#include <cstddef>
#include <cstdint>

#include "vmm/kvm/abi_x86.h"

namespace carrel::kvm {

class CoalescedRing {
  public:
    struct Write {
        uint64_t address;
        uint8_t length;
        std::byte data[8];
        bool port;
    };

    CoalescedRing() = default;
    explicit CoalescedRing(void* page);

    bool valid() const { return ring_ != nullptr; }
    // Any thread, no lock: whether something may be waiting.
    bool empty() const;
    // One taker at a time (the caller's mutex). peek: the write behind `skip` older ones; false when there is
    // none. pop: the oldest `count` have been dealt with, and KVM may use their places.
    bool peek(uint32_t skip, Write& write) const;
    void pop(uint32_t count);

  private:
    const kvm_coalesced_mmio& entry(uint32_t index) const;

    abi::CoalescedRingHeader* ring_ = nullptr;
};

}  // namespace carrel::kvm
