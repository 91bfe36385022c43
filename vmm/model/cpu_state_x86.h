// CpuState: with which registers a vCPU begins. Plain data; vmm/kvm turns it into KVM_SET_REGS and
// KVM_SET_SREGS.
#pragma once

#include <cstdint>

#include "vmm/model/gpa.h"

namespace carrel {

// A segment register with its hidden part (Intel SDM volume 3, 3.4.3).
struct SegmentState {
    uint16_t selector = 0;
    uint64_t base = 0;
    uint32_t limit = 0xffff;  // in bytes, granularity applied
    uint8_t type = 0;         // SDM 3.4.5.1
    bool present = true;
    uint8_t dpl = 0;
    bool db = false;           // default operation size 32
    bool code_or_data = true;  // the S flag
    bool long_mode = false;    // the L flag
    bool granularity = false;
};

struct TableState {
    uint64_t base = 0;
    uint16_t limit = 0;
};

// Any state a boot protocol asks for: real mode, 32-bit protected mode, 64-bit long mode.
struct CpuState {
    uint64_t rip = 0, rsp = 0, rflags = 2;  // bit 1 is always set (SDM 3.4.3)
    uint64_t rax = 0, rbx = 0, rcx = 0, rdx = 0, rsi = 0, rdi = 0, rbp = 0;
    uint64_t cr0 = 0, cr3 = 0, cr4 = 0, efer = 0;
    SegmentState cs, ds, es, fs, gs, ss, tr, ldt;
    TableState gdt, idt;
};

inline constexpr uint64_t kCr0Pe = 1u << 0;
inline constexpr uint64_t kCr0Et = 1u << 4;
inline constexpr uint64_t kCr0Pg = 1u << 31;
inline constexpr uint64_t kCr4Pae = 1u << 5;
inline constexpr uint64_t kEferLme = 1u << 8;
inline constexpr uint64_t kEferLma = 1u << 10;

}  // namespace carrel
