// In which mode a processor is (Intel SDM volume 3, 2.2 and 3.4.5), from its registers alone.
#pragma once

#include <linux/kvm.h>

#include <cstdint>
#include <string>

namespace carrel::observe {

enum class CodeWidth { k16 = 16, k32 = 32, k64 = 64 };

// How instructions at RIP are decoded: by CR0.PE, RFLAGS.VM, EFER.LMA, CS.L and CS.D.
CodeWidth code_width(const kvm_regs& regs, const kvm_sregs& sregs);
// RIP and RSP as linear addresses: segment bases count outside 64-bit code.
uint64_t linear_rip(const kvm_regs& regs, const kvm_sregs& sregs);
uint64_t linear_rsp(const kvm_regs& regs, const kvm_sregs& sregs);
// "64-bit long mode, ring 0, interrupts off, paging on".
std::string mode_words(const kvm_regs& regs, const kvm_sregs& sregs);

}  // namespace carrel::observe
