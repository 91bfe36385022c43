// The CPU's part of state_walk: numbers for every register by round, and where to put them.
#pragma once
#include <cstdint>

#include "lib/apic_x86.h"
#include "lib/cpu_x86.h"
#include "lib/layout_x86.h"

namespace guest {

// One to one, and far from regular: the finaliser of a 64-bit hash (multiply, fold, multiply).
constexpr std::uint64_t mix(std::uint64_t x) {
    x += 0x9e3779b97f4a7c15;
    x = (x ^ x >> 31) * 0xd6e8feb86659fd93;
    x = (x ^ x >> 29) * 0xa0761d6478bd642f;
    return x ^ x >> 32;
}

// As state_walk_code.S reads it: RAX RCX RDX RBX (RSP) RBP RSI RDI R8-R15, RFLAGS, XMM0-15.
struct RegisterFile {
    static constexpr unsigned kStackPointer = 4;  // not walked, stays 0
    static constexpr unsigned kFlags = 16;
    static constexpr unsigned kWords = 17 + 32;
    static constexpr std::uint64_t kInterruptFlag = 0x200;
    std::uint64_t words[kWords];
};

extern "C" void walk_registers(const RegisterFile* in, RegisterFile* out);

inline void fill(RegisterFile& file, std::uint64_t seed, std::uint16_t port) {
    constexpr std::uint64_t kArithmetic = 0xcd5;  // OF DF SF ZF AF PF CF
    for (unsigned i = 0; i < RegisterFile::kWords; ++i) file.words[i] = mix(seed * RegisterFile::kWords + i);
    file.words[RegisterFile::kStackPointer] = 0;
    file.words[2] = port;
    file.words[RegisterFile::kFlags] = (file.words[RegisterFile::kFlags] & kArithmetic) | 2;
}

// Registers that nothing here uses, so that any value may stand in them: `bits` vary by round, `fixed` are
// always set.
struct SpareMsr {
    std::uint32_t number;
    std::uint64_t bits;
    const char* name;
    std::uint64_t fixed = 0;
};
constexpr std::uint64_t kCanonical = 0x00007fffffffffff;
constexpr SpareMsr kSpareMsrs[] = {
    {0xc0000100, kCanonical, "FS_BASE"},
    {0xc0000101, kCanonical, "GS_BASE"},
    {0xc0000102, kCanonical, "KERNEL_GS_BASE"},
    {0xc0000081, 0xffffffff00000000, "STAR"},
    {0xc0000082, kCanonical, "LSTAR"},
    {0xc0000083, kCanonical, "CSTAR"},
    {0xc0000084, 0x00000000003f7fd5, "SFMASK"},
    {0x174, 0xfffc, "SYSENTER_CS"},
    {0x175, 0x7fffffff, "SYSENTER_ESP"},
    {0x176, 0x7fffffff, "SYSENTER_EIP"},
    {0x277, 0x0404040400000000, "PAT", 0x00070406},  // nothing uses entries 4-7; 0 and 4 are legal
};

inline std::uint64_t spare_value(const SpareMsr& msr, std::uint64_t round) {
    return (mix(round ^ msr.number) & msr.bits) | msr.fixed;
}

inline void write_debug_registers(std::uint64_t round) {
    asm volatile("mov %0, %%dr0" : : "r"(mix(round) & kCanonical));
    asm volatile("mov %0, %%dr1" : : "r"(mix(round + 1) & kCanonical));
    asm volatile("mov %0, %%dr2" : : "r"(mix(round + 2) & kCanonical));
    asm volatile("mov %0, %%dr3" : : "r"(mix(round + 3) & kCanonical));
}

inline std::uint32_t sse_control(std::uint64_t round) {
    return static_cast<std::uint32_t>(0x1f80 | (round % 4) << 13);  // all masked, rounding
}  // all masked, rounding
inline std::uint16_t x87_control(std::uint64_t round) {
    return static_cast<std::uint16_t>(0x037f | (round % 4) << 10);
}

inline void write_system_registers(std::uint64_t round, bool fpu) {
    for (const SpareMsr& msr : kSpareMsrs) wrmsr(msr.number, spare_value(msr, round));
    write_debug_registers(round);
    asm volatile("mov %0, %%cr2" : : "r"(mix(round + 4)));
    local_apic_write(ApicRegister::kTaskPriority, round % 2 * 0x10);
    if (!fpu) return;
    const std::uint32_t sse = sse_control(round);
    const std::uint16_t x87 = x87_control(round);
    asm volatile("ldmxcsr %0\n\tfldcw %1" : : "m"(sse), "m"(x87));
}

template <typename Expect>
void check_debug_registers(std::uint64_t round, Expect expect) {
    std::uint64_t dr0, dr1, dr2, dr3, dr7;
    asm volatile("mov %%dr0, %0" : "=r"(dr0));
    asm volatile("mov %%dr1, %0" : "=r"(dr1));
    asm volatile("mov %%dr2, %0" : "=r"(dr2));
    asm volatile("mov %%dr3, %0" : "=r"(dr3));
    asm volatile("mov %%dr7, %0" : "=r"(dr7));
    expect("DR0", dr0, mix(round) & kCanonical, round);
    expect("DR1", dr1, mix(round + 1) & kCanonical, round);
    expect("DR2", dr2, mix(round + 2) & kCanonical, round);
    expect("DR3", dr3, mix(round + 3) & kCanonical, round);
    expect("DR7", dr7, 0x400, round);
}

// expect(name, got, wanted, round)
template <typename Expect>
void check_system_registers(std::uint64_t round, bool fpu, Expect expect) {
    for (const SpareMsr& msr : kSpareMsrs)
        expect(msr.name, rdmsr(msr.number), spare_value(msr, round), round);
    check_debug_registers(round, expect);
    expect("CR0", read_cr0(), CR0_VALUE, round);
    expect("CR2", read_cr2(), mix(round + 4), round);
    expect("CR4", read_cr4(), CR4_VALUE, round);
    expect("TPR", local_apic_read(ApicRegister::kTaskPriority), round % 2 * 0x10, round);
    if (!fpu) return;
    std::uint32_t sse = 0;
    std::uint16_t x87 = 0;
    asm volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(sse), "=m"(x87));
    expect("MXCSR", sse, sse_control(round), round);
    expect("x87 control word", x87, x87_control(round), round);
}

}  // namespace guest
