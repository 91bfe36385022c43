#include "vmm/observe/cpu_snapshot.h"

#include <cpuid.h>
#include <fmt/core.h>

#include <algorithm>
#include <string_view>

#include "vmm/model/address_map_x86.h"

namespace carrel::observe {
namespace {

constexpr size_t kCodeBytes = 32;
constexpr size_t kStackBytes = 64;
constexpr size_t kInstructions = 4;
constexpr size_t kOperandBytes = 16;
constexpr size_t kGateBytes = 8;

Vendor host_vendor() {
    unsigned a = 0, b = 0, c = 0, d = 0;
    if (__get_cpuid(0, &a, &b, &c, &d) == 0) return Vendor::kOther;
    constexpr unsigned kGenu = 0x756e6547, kAuth = 0x68747541,
                       kHygo = 0x6f677948;  // "Genu", "Auth", "Hygo" in EBX
    if (b == kGenu) return Vendor::kIntel;
    return b == kAuth || b == kHygo ? Vendor::kAmd : Vendor::kOther;
}

// What of [linear, linear + length) lies in the first page.
size_t up_to_page_end(uint64_t linear, size_t length) {
    return static_cast<size_t>(std::min<uint64_t>(length, kPageSize - linear % kPageSize));
}

// Page by page through the guest's tables.
MemoryView view(const kvm::Vcpu& vcpu, const GuestMemory& memory, uint64_t linear, size_t length) {
    MemoryView result{linear, vcpu.translate(linear), {}, {}};
    while (result.bytes.size() < length) {
        const uint64_t at = linear + result.bytes.size();
        const auto gpa = vcpu.translate(at);
        if (!gpa) {
            result.gap = fmt::format("{:#x} isn't mapped in the guest's page tables", at);
            return result;
        }
        const size_t piece = up_to_page_end(at, length - result.bytes.size());
        const auto bytes = memory.slice(*gpa, piece);
        if (!bytes) {
            result.gap = fmt::format("guest-physical {:#x} {}", raw(*gpa), not_ram(*gpa, memory.map()));
            return result;
        }
        result.bytes.insert(result.bytes.end(), bytes->begin(), bytes->end());
    }
    return result;
}

std::optional<MemoryView> view_operand(const CpuSnapshot& cpu, const kvm::Vcpu& vcpu,
                                       const GuestMemory& memory) {
    if (cpu.instructions.empty()) return std::nullopt;
    const auto linear = operand_address(cpu.instructions.front(), cpu.regs, cpu.sregs);
    if (!linear) return std::nullopt;
    return view(vcpu, memory, *linear, kOperandBytes);
}

}  // namespace

CpuSnapshot take_snapshot(const kvm::Vcpu& vcpu, const GuestMemory& memory) {
    CpuSnapshot cpu;
    cpu.vcpu = vcpu.id();
    cpu.vendor = host_vendor();
    const auto regs = vcpu.regs();
    const auto sregs = vcpu.sregs();
    cpu.registers_known = regs.ok() && sregs.ok();
    if (!cpu.registers_known) return cpu;
    cpu.regs = *regs;
    cpu.sregs = *sregs;
    cpu.code = view(vcpu, memory, linear_rip(cpu.regs, cpu.sregs), kCodeBytes);
    cpu.stack = view(vcpu, memory, linear_rsp(cpu.regs, cpu.sregs), kStackBytes);
    cpu.instructions =
        disassemble(cpu.code.bytes, cpu.regs.rip, code_width(cpu.regs, cpu.sregs), kInstructions);
    cpu.operand = view_operand(cpu, vcpu, memory);
    if (cpu.sregs.idt.limit >= kGateBytes - 1) cpu.idt = view(vcpu, memory, cpu.sregs.idt.base, kGateBytes);
    return cpu;
}

std::string not_ram(Gpa gpa, const RamMap& map) {
    for (const RamRange& range : map.ranges) {
        if (gpa >= range.base && gpa < range.end()) return {};
    }
    if (gpa >= address_map::kHoleStart && gpa < address_map::kHoleEnd)
        return "isn't RAM: it lies in the PCI hole";
    const Gpa end = map.ranges.empty() ? Gpa{0} : map.ranges.back().end();
    if (gpa >= end) return fmt::format("isn't RAM: it lies behind the end of RAM ({:#x})", raw(end));
    return fmt::format("isn't RAM: it lies behind the low RAM (ends at {:#x})", raw(map.low().end()));
}

}  // namespace carrel::observe
