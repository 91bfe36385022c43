// Instructions in words (Capstone), and where their memory operand points.
#pragma once

#include <linux/kvm.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "vmm/observe/cpu_mode_x86.h"

namespace carrel::observe {

struct Instruction {
    uint64_t address = 0;
    size_t length = 0;
    std::string text;  // "mov eax, dword ptr [rbx]"
    // Set where an operand lies in memory: its text, and what its address is made of (Capstone's register
    // numbers).
    struct Memory {
        unsigned segment = 0, base = 0, index = 0;
        int scale = 1;
        int64_t displacement = 0;
    };
    std::optional<Memory> memory;
};

// At most `most` instructions from `bytes`, which lie at `address` (RIP, not the linear address); stops at
// bytes that are none. Empty too where Capstone can't start.
std::vector<Instruction> disassemble(std::span<const std::byte> bytes, uint64_t address, CodeWidth width,
                                     size_t most);

// The linear address of an instruction's memory operand, with these registers; nothing where there is none.
std::optional<uint64_t> operand_address(const Instruction& instruction, const kvm_regs& regs,
                                        const kvm_sregs& sregs);

}  // namespace carrel::observe
