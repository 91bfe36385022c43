#include "vmm/observe/report_text.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>
#include <span>

namespace carrel::observe {
namespace {

using Lines = std::vector<std::string>;

std::string hex(std::span<const std::byte> bytes) {
    std::string text;
    for (const std::byte byte : bytes) text += fmt::format("{:02x} ", std::to_integer<unsigned>(byte));
    if (!text.empty()) text.pop_back();
    return text;
}

std::string physical_words(const MemoryView& view) {
    return view.physical ? fmt::format("guest-physical {:#x}", raw(*view.physical)) : "not mapped";
}

void add_place(Lines& lines, const CpuSnapshot& cpu) {
    lines.push_back(fmt::format("vCPU {} in {}", cpu.vcpu, mode_words(cpu.regs, cpu.sregs)));
    lines.push_back(fmt::format("RIP {:#018x}, linear {:#x}, {}", cpu.regs.rip, cpu.code.linear,
                                physical_words(cpu.code)));
    lines.push_back(fmt::format("code at RIP: {}{}{}", cpu.code.bytes.empty() ? "none" : hex(cpu.code.bytes),
                                cpu.code.gap.empty() ? "" : "; ", cpu.code.gap));
}

void add_instructions(Lines& lines, const CpuSnapshot& cpu) {
    size_t offset = 0;
    for (const Instruction& instruction : cpu.instructions) {
        const std::span all(cpu.code.bytes);
        const auto bytes =
            all.subspan(std::min(offset, all.size()), std::min(instruction.length, all.size() - offset));
        lines.push_back(fmt::format("{} {:#x}: {:<24} {}", offset == 0 ? "->" : "  ", instruction.address,
                                    hex(bytes), instruction.text));
        offset += bytes.size();
    }
    if (cpu.instructions.empty() && !cpu.code.bytes.empty())
        lines.push_back("-> these bytes are no instruction");
    if (cpu.operand) {
        const MemoryView& o = *cpu.operand;
        lines.push_back(fmt::format("operand at {:#x}: {}", o.linear,
                                    o.gap.empty() ? physical_words(o) + ", " + hex(o.bytes) : o.gap));
    }
}

void add_general_registers(Lines& lines, const kvm_regs& r) {
    const struct {
        const char* name;
        uint64_t value;
    } rows[][4] = {
        {{"rax", r.rax}, {"rbx", r.rbx}, {"rcx", r.rcx}, {"rdx", r.rdx}},
        {{"rsi", r.rsi}, {"rdi", r.rdi}, {"rbp", r.rbp}, {"rsp", r.rsp}},
        {{"r8 ", r.r8}, {"r9 ", r.r9}, {"r10", r.r10}, {"r11", r.r11}},
        {{"r12", r.r12}, {"r13", r.r13}, {"r14", r.r14}, {"r15", r.r15}},
    };
    for (const auto& row : rows) {
        std::string line;
        for (const auto& reg : row) line += fmt::format("{} {:016x}  ", reg.name, reg.value);
        line.resize(line.size() - 2);
        lines.push_back(std::move(line));
    }
}

void add_system_registers(Lines& lines, const kvm_regs& r, const kvm_sregs& s) {
    lines.push_back(
        fmt::format("rip {:016x}  rflags {:08x}  cr0 {:08x}  cr2 {:016x}", r.rip, r.rflags, s.cr0, s.cr2));
    lines.push_back(fmt::format("cr3 {:016x}  cr4 {:08x}  cr8 {:x}  efer {:x}  apic_base {:x}", s.cr3, s.cr4,
                                s.cr8, s.efer, s.apic_base));
}

std::string segment_line(const char* name, const kvm_segment& s) {
    return fmt::format("{} {:04x} base {:016x} limit {:08x} type {:x} s{} dpl{} p{} l{} db{} g{}{}", name,
                       s.selector, s.base, s.limit, s.type, s.s, s.dpl, s.present, s.l, s.db, s.g,
                       s.unusable != 0 ? " unusable" : "");
}

void add_segments(Lines& lines, const kvm_sregs& s) {
    const struct {
        const char* name;
        const kvm_segment& segment;
    } rows[] = {{"cs ", s.cs}, {"ss ", s.ss}, {"ds ", s.ds}, {"es ", s.es},
                {"fs ", s.fs}, {"gs ", s.gs}, {"tr ", s.tr}, {"ldt", s.ldt}};
    for (const auto& row : rows) lines.push_back(segment_line(row.name, row.segment));
    lines.push_back(fmt::format("gdt base {:016x} limit {:04x}  idt base {:016x} limit {:04x}", s.gdt.base,
                                s.gdt.limit, s.idt.base, s.idt.limit));
}

// In words of the code's width, as pushes and return addresses are.
void add_stack(Lines& lines, const CpuSnapshot& cpu) {
    const size_t width = static_cast<size_t>(code_width(cpu.regs, cpu.sregs)) / 8;
    std::string text;
    for (size_t at = 0; at + width <= cpu.stack.bytes.size() && at / width < 8; at += width) {
        uint64_t word = 0;
        std::memcpy(&word, cpu.stack.bytes.data() + at, width);
        text += fmt::format(" {:0{}x}", word, width * 2);
    }
    lines.push_back(fmt::format("stack at {:#x}:{}{}", cpu.stack.linear, text,
                                cpu.stack.gap.empty() ? "" : " (" + cpu.stack.gap + ")"));
}

void add_cpu(Lines& lines, const CpuSnapshot& cpu) {
    add_place(lines, cpu);
    add_instructions(lines, cpu);
    add_general_registers(lines, cpu.regs);
    add_system_registers(lines, cpu.regs, cpu.sregs);
    add_segments(lines, cpu.sregs);
    add_stack(lines, cpu);
}

std::string joined(const std::vector<std::string>& parts, const char* between) {
    std::string text;
    for (const std::string& part : parts) text += (text.empty() ? "" : between) + part;
    return text;
}

}  // namespace

std::string report_text(const Explanation& explanation, const CpuSnapshot& cpu) {
    Lines lines = explanation.hints;
    if (cpu.registers_known) {
        add_cpu(lines, cpu);
    } else {
        lines.emplace_back("KVM doesn't tell this vCPU's registers any more");
    }
    lines.push_back("KVM says: " + joined(explanation.figures, "; "));
    return explanation.cause + "\n  " + joined(lines, "\n  ");
}

}  // namespace carrel::observe
