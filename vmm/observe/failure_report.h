// What there is to say when a vCPU can't go on: enough to find the fault without a debugger.
//
// Start here; failure_words.h says what KVM means, cpu_snapshot.h holds what the vCPU was doing,
// report_text.h makes text of the two.
#pragma once

#include <string>

#include "vmm/kvm/vcpu.h"
#include "vmm/memory/guest_memory.h"

namespace carrel::observe {

// Several lines: the cause in words, the place and its instructions, registers, KVM's own figures. On the
// vCPU's thread (or with it stopped). Never fails: what can't be had is named in the text.
std::string failure_report(const kvm::FailedExit& exit, const kvm::Vcpu& vcpu, const GuestMemory& memory);

// The same after a shutdown exit. AMD's KVM resets the vCPU in it: the text says so where the registers show
// it.
std::string triple_fault_report(const kvm::Vcpu& vcpu, const GuestMemory& memory);

}  // namespace carrel::observe
