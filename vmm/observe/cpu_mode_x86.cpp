#include "vmm/observe/cpu_mode_x86.h"

#include <fmt/core.h>

#include "vmm/model/cpu_state_x86.h"

namespace carrel::observe {
namespace {

constexpr uint64_t kRflagsIf = 1u << 9;   // SDM volume 1, 3.4.3.3
constexpr uint64_t kRflagsVm = 1u << 17;  // SDM volume 1, 3.4.3.3
constexpr uint64_t kCr4La57 = 1u << 12;   // SDM volume 3, 2.5

bool protected_mode(const kvm_sregs& s) {
    return (s.cr0 & kCr0Pe) != 0;
}
bool virtual_8086(const kvm_regs& r, const kvm_sregs& s) {
    return protected_mode(s) && (r.rflags & kRflagsVm) != 0;
}
bool long_mode(const kvm_sregs& s) {
    return (s.efer & kEferLma) != 0;
}

std::string kind_of_mode(const kvm_regs& r, const kvm_sregs& s) {
    const int width = static_cast<int>(code_width(r, s));
    if (!protected_mode(s)) return "real mode (16-bit)";
    if (virtual_8086(r, s)) return "virtual-8086 mode (16-bit)";
    if (!long_mode(s)) return fmt::format("{}-bit protected mode", width);
    return width == 64 ? "64-bit long mode" : fmt::format("{}-bit compatibility mode", width);
}

const char* paging_words(const kvm_sregs& s) {
    if ((s.cr0 & kCr0Pg) == 0) return "paging off";
    if ((s.cr4 & kCr4Pae) == 0) return "paging on (32-bit)";
    if (!long_mode(s)) return "paging on (PAE)";
    return (s.cr4 & kCr4La57) != 0 ? "paging on (5 levels)" : "paging on (4 levels)";
}

// The privilege level is the DPL of SS wherever segments are checked (KVM keeps it there on both processors).
unsigned ring(const kvm_regs& r, const kvm_sregs& s) {
    if (!protected_mode(s)) return 0;
    return virtual_8086(r, s) ? 3 : s.ss.dpl;
}

uint64_t linear(CodeWidth width, uint64_t base, uint64_t offset) {
    return width == CodeWidth::k64 ? offset : (base + offset) & 0xffff'ffff;
}

}  // namespace

CodeWidth code_width(const kvm_regs& regs, const kvm_sregs& sregs) {
    if (!protected_mode(sregs) || virtual_8086(regs, sregs)) return CodeWidth::k16;
    if (long_mode(sregs) && sregs.cs.l != 0) return CodeWidth::k64;
    return sregs.cs.db != 0 ? CodeWidth::k32 : CodeWidth::k16;
}

uint64_t linear_rip(const kvm_regs& regs, const kvm_sregs& sregs) {
    return linear(code_width(regs, sregs), sregs.cs.base, regs.rip);
}

uint64_t linear_rsp(const kvm_regs& regs, const kvm_sregs& sregs) {
    return linear(code_width(regs, sregs), sregs.ss.base, regs.rsp);
}

std::string mode_words(const kvm_regs& regs, const kvm_sregs& sregs) {
    return fmt::format("{}, ring {}, interrupts {}, {}", kind_of_mode(regs, sregs), ring(regs, sregs),
                       (regs.rflags & kRflagsIf) != 0 ? "on" : "off", paging_words(sregs));
}

}  // namespace carrel::observe
