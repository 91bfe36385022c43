// StealRecord: tells a guest how long one of its vCPUs stood, so that its own `top` and scheduler know.
//
// KVM fills the record with the time that the vCPU's thread waited for a host CPU, and only ever adds to what
// is there; what it doesn't know is when we hold the thread outside KVM_RUN. So we add that, as KVM does
// (Documentation/virt/kvm/ x86/msr.rst, MSR_KVM_STEAL_TIME):
//
//      0   steal, ns          8   version: odd while it is being written      16  preempted (bit 0)
#pragma once

#include "vmm/base/clock.h"
#include "vmm/kvm/vcpu.h"
#include "vmm/memory/guest_memory.h"

namespace carrel {

// Only on the vCPU's thread, outside KVM_RUN: so KVM isn't writing.
class StealRecord {
  public:
    StealRecord(kvm::Vcpu& vcpu, GuestMemory& memory) : vcpu_(vcpu), memory_(memory) {}

    void begin_hold();                // others needn't wait for what this vCPU holds (`preempted`)
    void end_hold(Nanoseconds time);  // it stood for so long

  private:
    std::optional<Gpa> find() const;

    kvm::Vcpu& vcpu_;
    GuestMemory& memory_;
    std::optional<Gpa> place_;  // during a hold; none: the guest hasn't asked for it
    Nanoseconds untold_ = 0;    // its memory couldn't be had then
};

}  // namespace carrel
