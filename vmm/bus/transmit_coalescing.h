// TransmitCoalescing: KVM collecting a register's writes for us instead of leaving the guest for each
// (KVM_CAP_COALESCED_PIO, KVM_CAP_COALESCED_MMIO).
#pragma once

#include <cstddef>
#include <span>

namespace carrel {

// A register of a device that takes bytes one by one; the collected ones come here, many in one call. Any
// vCPU thread.
class TransmitRegister {
  public:
    virtual ~TransmitRegister() = default;
    virtual void transmit(std::span<const std::byte> bytes) = 0;
};

// Implemented by vmm/machine over vmm/kvm. Called on a vCPU thread, with the device's mutex held if it has
// one. Whatever is collected reaches the device's transmit() before any later access of the same vCPU does.
class TransmitCoalescing {
  public:
    virtual ~TransmitCoalescing() = default;
    // Safe only while nothing waits for an effect of the write: for a UART, while IER's THRI bit is 0.
    virtual void enable(bool on) = 0;
    // A byte has come by an exit of its own.
    virtual void note_exit() = 0;
};

}  // namespace carrel
