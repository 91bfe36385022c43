#include "vmm/observe/disassembly_x86.h"

#include <capstone/capstone.h>

#include <memory>

namespace carrel::observe {
namespace {

// The owner of Capstone's handle.
class Disassembler {
  public:
    explicit Disassembler(CodeWidth width) {
        const cs_mode mode = width == CodeWidth::k64   ? CS_MODE_64
                             : width == CodeWidth::k32 ? CS_MODE_32
                                                       : CS_MODE_16;
        open_ = cs_open(CS_ARCH_X86, mode, &handle_) == CS_ERR_OK;
        if (open_) cs_option(handle_, CS_OPT_DETAIL, CS_OPT_ON);
    }
    ~Disassembler() {
        if (open_) cs_close(&handle_);
    }
    Disassembler(const Disassembler&) = delete;
    Disassembler& operator=(const Disassembler&) = delete;

    bool valid() const { return open_; }
    csh handle() const { return handle_; }

  private:
    csh handle_ = 0;
    bool open_ = false;
};

struct RegisterName {
    x86_reg r64, r32, r16;
    __u64 kvm_regs::*member;
};

constexpr RegisterName kRegisters[] = {
    {X86_REG_RAX, X86_REG_EAX, X86_REG_AX, &kvm_regs::rax},
    {X86_REG_RBX, X86_REG_EBX, X86_REG_BX, &kvm_regs::rbx},
    {X86_REG_RCX, X86_REG_ECX, X86_REG_CX, &kvm_regs::rcx},
    {X86_REG_RDX, X86_REG_EDX, X86_REG_DX, &kvm_regs::rdx},
    {X86_REG_RSI, X86_REG_ESI, X86_REG_SI, &kvm_regs::rsi},
    {X86_REG_RDI, X86_REG_EDI, X86_REG_DI, &kvm_regs::rdi},
    {X86_REG_RBP, X86_REG_EBP, X86_REG_BP, &kvm_regs::rbp},
    {X86_REG_RSP, X86_REG_ESP, X86_REG_SP, &kvm_regs::rsp},
    {X86_REG_R8, X86_REG_R8D, X86_REG_R8W, &kvm_regs::r8},
    {X86_REG_R9, X86_REG_R9D, X86_REG_R9W, &kvm_regs::r9},
    {X86_REG_R10, X86_REG_R10D, X86_REG_R10W, &kvm_regs::r10},
    {X86_REG_R11, X86_REG_R11D, X86_REG_R11W, &kvm_regs::r11},
    {X86_REG_R12, X86_REG_R12D, X86_REG_R12W, &kvm_regs::r12},
    {X86_REG_R13, X86_REG_R13D, X86_REG_R13W, &kvm_regs::r13},
    {X86_REG_R14, X86_REG_R14D, X86_REG_R14W, &kvm_regs::r14},
    {X86_REG_R15, X86_REG_R15D, X86_REG_R15W, &kvm_regs::r15},
};

// RIP counts from the end of the instruction (SDM volume 2, 2.2.1.6).
uint64_t value_of(unsigned reg, const Instruction& instruction, const kvm_regs& regs) {
    if (reg == X86_REG_RIP || reg == X86_REG_EIP) return instruction.address + instruction.length;
    for (const RegisterName& name : kRegisters) {
        if (reg == name.r64) return regs.*name.member;
        if (reg == name.r32) return regs.*name.member & 0xffff'ffff;
        if (reg == name.r16) return regs.*name.member & 0xffff;
    }
    return 0;  // X86_REG_INVALID, and the zero registers RIZ and EIZ
}

// Which segment an operand uses: the one named, else SS for a base of RBP or RSP, else DS (SDM volume
// 1, 3.7.4).
uint64_t segment_base(const Instruction::Memory& memory, const kvm_sregs& s, CodeWidth width) {
    switch (memory.segment) {
        case X86_REG_FS: return s.fs.base;
        case X86_REG_GS: return s.gs.base;
        case X86_REG_CS: return width == CodeWidth::k64 ? 0 : s.cs.base;
        case X86_REG_ES: return width == CodeWidth::k64 ? 0 : s.es.base;
        case X86_REG_SS: return width == CodeWidth::k64 ? 0 : s.ss.base;
        default: break;
    }
    if (width == CodeWidth::k64) return 0;
    const bool stack = memory.base == X86_REG_EBP || memory.base == X86_REG_BP || memory.base == X86_REG_ESP;
    return memory.segment == X86_REG_INVALID && stack ? s.ss.base : s.ds.base;
}

// What an address computation is cut to: the width of its registers.
uint64_t address_mask(const Instruction::Memory& memory, CodeWidth width) {
    const unsigned reg = memory.base != X86_REG_INVALID ? memory.base : memory.index;
    for (const RegisterName& name : kRegisters) {
        if (reg == name.r32) return 0xffff'ffff;
        if (reg == name.r16) return 0xffff;
    }
    return width == CodeWidth::k64 ? ~uint64_t{0} : 0xffff'ffff;
}

std::optional<Instruction::Memory> memory_operand(const cs_insn& insn) {
    if (insn.detail == nullptr || insn.id == X86_INS_LEA || insn.id == X86_INS_NOP) return std::nullopt;
    const cs_x86& x86 = insn.detail->x86;
    for (unsigned i = 0; i < x86.op_count; ++i) {
        if (x86.operands[i].type != X86_OP_MEM) continue;
        const x86_op_mem& mem = x86.operands[i].mem;
        return Instruction::Memory{static_cast<unsigned>(mem.segment), static_cast<unsigned>(mem.base),
                                   static_cast<unsigned>(mem.index), mem.scale, mem.disp};
    }
    return std::nullopt;
}

Instruction to_instruction(const cs_insn& insn) {
    std::string text = insn.mnemonic;
    if (insn.op_str[0] != '\0') text += std::string(" ") + insn.op_str;
    return Instruction{insn.address, insn.size, std::move(text), memory_operand(insn)};
}

}  // namespace

std::vector<Instruction> disassemble(std::span<const std::byte> bytes, uint64_t address, CodeWidth width,
                                     size_t most) {
    std::vector<Instruction> result;
    const Disassembler disassembler(width);
    if (!disassembler.valid() || bytes.empty()) return result;
    cs_insn* list = nullptr;
    const size_t count = cs_disasm(disassembler.handle(), reinterpret_cast<const uint8_t*>(bytes.data()),
                                   bytes.size(), address, most, &list);
    for (size_t i = 0; i < count; ++i) result.push_back(to_instruction(list[i]));
    if (count > 0) cs_free(list, count);
    return result;
}

std::optional<uint64_t> operand_address(const Instruction& instruction, const kvm_regs& regs,
                                        const kvm_sregs& sregs) {
    if (!instruction.memory) return std::nullopt;
    const Instruction::Memory& m = *instruction.memory;
    const CodeWidth width = code_width(regs, sregs);
    const uint64_t offset = value_of(m.base, instruction, regs) +
                            value_of(m.index, instruction, regs) * static_cast<uint64_t>(m.scale) +
                            static_cast<uint64_t>(m.displacement);
    const uint64_t linear = segment_base(m, sregs, width) + (offset & address_mask(m, width));
    return width == CodeWidth::k64 ? linear : linear & 0xffff'ffff;
}

}  // namespace carrel::observe
