// CpuSnapshot: what one vCPU was doing, taken once; plain data from there on.
#pragma once

#include <linux/kvm.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "vmm/kvm/vcpu.h"
#include "vmm/memory/guest_memory.h"
#include "vmm/observe/disassembly_x86.h"

namespace carrel::observe {

// The bytes at one linear address of the guest, as far as they can be had.
struct MemoryView {
    uint64_t linear = 0;
    std::optional<Gpa> physical;   // of the first byte; nothing: not mapped
    std::vector<std::byte> bytes;  // shorter than asked for where something is in the way
    std::string gap;  // what is in the way of the rest: "0xd0000000 lies in the PCI hole"; empty: nothing
};

// The processor that KVM's figures are about: they differ between the two.
enum class Vendor { kIntel, kAmd, kOther };

struct CpuSnapshot {
    uint32_t vcpu = 0;
    Vendor vendor = Vendor::kOther;
    bool registers_known = false;  // false: KVM refused to tell them, all below is empty
    kvm_regs regs{};
    kvm_sregs sregs{};
    MemoryView code;   // at RIP
    MemoryView stack;  // at RSP
    std::vector<Instruction> instructions;
    std::optional<MemoryView> operand;  // what the first instruction reads or writes in memory
    std::optional<MemoryView> idt;      // its first gate; nothing: the IDT is empty
};

// On the vCPU's thread, or with it stopped.
CpuSnapshot take_snapshot(const kvm::Vcpu& vcpu, const GuestMemory& memory);

// What lies at a guest-physical address that RAM doesn't cover: "lies in the PCI hole", "lies behind the end
// of RAM (0x20000000)". Empty for RAM.
std::string not_ram(Gpa gpa, const RamMap& map);

}  // namespace carrel::observe
