// TransmitCoalescing: KVM collecting a port's writes for us instead of leaving the guest for each
// (KVM_CAP_COALESCED_PIO).
#pragma once

namespace carrel {

// Implemented by vmm/machine over vmm/kvm. Called on a vCPU thread with the device's mutex held. Whatever is
// collected reaches the device's write() before any later access of the same vCPU does.
class TransmitCoalescing {
  public:
    virtual ~TransmitCoalescing() = default;
    // Safe only while nothing waits for an effect of the write: for a UART, while IER's THRI bit is 0.
    virtual void enable(bool on) = 0;
};

}  // namespace carrel
