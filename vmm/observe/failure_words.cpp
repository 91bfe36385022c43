#include "vmm/observe/failure_words.h"

#include <fmt/core.h>
#include <linux/kvm.h>

#include <cstring>
#include <span>

namespace carrel::observe {
namespace {

// KVM's emulator of the 6.x kernels puts its flags into the first word and, where they say so, the
// instruction into the next two: a length and 15 bytes (struct emulation_failure in linux/kvm.h).
struct EmulatorBytes {
    std::vector<std::byte> bytes;
    size_t words = 1;  // taken by flags and bytes
};

EmulatorBytes emulator_bytes(const kvm::FailedExit& exit) {
    EmulatorBytes result;
    if (exit.details < 3 || (exit.detail[0] & KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES) == 0)
        return result;
    result.words = 3;
    std::byte raw_bytes[16];
    std::memcpy(raw_bytes, &exit.detail[1], sizeof raw_bytes);
    const size_t length = std::min<size_t>(std::to_integer<size_t>(raw_bytes[0]), 15);
    result.bytes.assign(raw_bytes + 1, raw_bytes + 1 + length);
    return result;
}

std::string hex(std::span<const std::byte> bytes) {
    std::string text;
    for (const std::byte byte : bytes)
        text += fmt::format("{}{:02x}", text.empty() ? "" : " ", std::to_integer<unsigned>(byte));
    return text;
}

std::string mnemonic(const CpuSnapshot& cpu) {
    return cpu.instructions.empty() ? "" : cpu.instructions.front().text;
}

void add_details(Explanation& e, const kvm::FailedExit& exit) {
    if (exit.details == 0) return;
    std::string words;
    for (uint32_t i = 0; i < exit.details; ++i) words += fmt::format(" {:#x}", exit.detail[i]);
    e.figures.push_back("detail" + words);
}

Explanation emulation_failure(const kvm::FailedExit& exit, const CpuSnapshot& cpu) {
    Explanation e;
    const EmulatorBytes emulator = emulator_bytes(exit);
    if (!cpu.code.gap.empty() && cpu.code.bytes.empty()) {
        e.cause = fmt::format("KVM couldn't fetch an instruction for vCPU {}: RIP is {:#x}, and {}", cpu.vcpu,
                              cpu.regs.rip, cpu.code.gap);
        e.hints.push_back(
            "The guest jumped to an address where it has no code: a wild jump, or a wrong return address; "
            "the stack below may hold where it came from.");
    } else {
        e.cause = fmt::format("KVM couldn't emulate the instruction at RIP {:#x} of vCPU {}{}{}",
                              cpu.regs.rip, cpu.vcpu, mnemonic(cpu).empty() ? "" : ": ", mnemonic(cpu));
    }
    if (cpu.operand && !cpu.operand->gap.empty()) {
        e.hints.push_back(
            fmt::format("Its operand is at {:#x}: {}. KVM must emulate such an access, and its emulator "
                        "doesn't know this instruction.",
                        cpu.operand->linear, cpu.operand->gap));
    } else if (!cpu.code.bytes.empty()) {
        e.hints.push_back(
            "The instruction touches nothing but RAM, so this KVM interprets guest code and doesn't know it "
            "(or the guest is in a state that the processor can't run): `carrel doctor` tells what it can "
            "run.");
    }
    if (!emulator.bytes.empty()) e.figures.push_back("the emulator's bytes " + hex(emulator.bytes));
    if (exit.details > emulator.words) {
        e.figures.push_back("before it, " + hardware_exit_words(exit.detail[emulator.words], cpu.vendor));
    }
    return e;
}

const char* suberror_words(uint64_t suberror) {
    switch (suberror) {
        case KVM_INTERNAL_ERROR_SIMUL_EX:
            return "an exception arose while another was being delivered, in a way KVM can't sort out "
                   "(simultaneous "
                   "exceptions)";
        case KVM_INTERNAL_ERROR_DELIVERY_EV:
            return "the delivery of an interrupt or exception itself left the guest in a way KVM can't "
                   "handle (delivery "
                   "event): the IDT, the stack or the TSS probably isn't in RAM";
        case KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON:
            return "the processor left the guest for a reason that this KVM doesn't know (unexpected exit "
                   "reason)";
        default: return "an internal error that carrel has no words for";
    }
}

// Where the hardware's exit reason stands among KVM's words (vmx.c, svm.c).
int exit_reason_word(uint64_t suberror) {
    if (suberror == KVM_INTERNAL_ERROR_DELIVERY_EV) return 1;
    return suberror == KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON ? 0 : -1;
}

Explanation internal_error(const kvm::FailedExit& exit, const CpuSnapshot& cpu) {
    Explanation e;
    if (exit.code == KVM_INTERNAL_ERROR_EMULATION) {
        e = emulation_failure(exit, cpu);
    } else {
        e.cause = fmt::format("KVM gave vCPU {} up: {}", cpu.vcpu, suberror_words(exit.code));
        const int word = exit_reason_word(exit.code);
        if (word >= 0 && exit.details > static_cast<uint32_t>(word)) {
            e.figures.push_back(hardware_exit_words(exit.detail[word], cpu.vendor));
        }
    }
    e.figures.insert(e.figures.begin(), fmt::format("KVM_EXIT_INTERNAL_ERROR, suberror {}", exit.code));
    return e;
}

Explanation entry_failure(const kvm::FailedExit& exit, const CpuSnapshot& cpu) {
    Explanation e;
    e.cause = fmt::format("the processor refused to run vCPU {}: {}", cpu.vcpu,
                          entry_failure_words(exit.code, cpu.vendor));
    e.figures.push_back(fmt::format("KVM_EXIT_FAIL_ENTRY, hardware entry failure reason {:#x}", exit.code));
    e.hints.push_back("The kernel's log (dmesg) has the whole control block where kvm.ko may print it.");
    return e;
}

// SVM leaves the control block undefined after a shutdown, so KVM does an INIT (svm.c,
// shutdown_interception).
bool was_reset(const CpuSnapshot& cpu) {
    constexpr uint64_t kResetRip = 0xfff0;  // SDM volume 3, 10.1.4
    return cpu.registers_known && cpu.regs.rip == kResetRip && cpu.sregs.cs.selector == 0xf000;
}

}  // namespace

Explanation explain(const kvm::FailedExit& exit, const CpuSnapshot& cpu) {
    Explanation e;
    switch (exit.reason) {
        case KVM_EXIT_INTERNAL_ERROR: e = internal_error(exit, cpu); break;
        case KVM_EXIT_FAIL_ENTRY: e = entry_failure(exit, cpu); break;
        case KVM_EXIT_UNKNOWN:
            e.cause = fmt::format("vCPU {} left the guest for a reason that KVM itself doesn't know: {}",
                                  cpu.vcpu, hardware_exit_words(exit.code, cpu.vendor));
            e.figures.push_back("KVM_EXIT_UNKNOWN");
            break;
        default:
            e.cause = fmt::format(
                "vCPU {} left the guest for a reason that carrel doesn't handle: KVM_EXIT number {}",
                cpu.vcpu, exit.reason);
            e.figures.push_back(
                fmt::format("exit_reason {} (the KVM_EXIT_ list in linux/kvm.h names it)", exit.reason));
    }
    add_details(e, exit);
    return e;
}

Explanation explain_triple_fault(const CpuSnapshot& cpu) {
    Explanation e;
    e.cause = fmt::format(
        "vCPU {} took an exception, and a second and third one while delivering it (triple fault)", cpu.vcpu);
    e.figures.push_back("KVM_EXIT_SHUTDOWN");
    if (!cpu.registers_known) return e;
    if (was_reset(cpu)) {
        e.hints.push_back(
            "KVM has reset the registers (AMD's processors leave them undefined after a shutdown): what "
            "follows isn't the state at the fault. The guest's last console lines are what is left of it.");
        return e;
    }
    if (!cpu.idt) {
        e.hints.push_back("The IDT is empty (limit " + std::to_string(cpu.sregs.idt.limit) +
                          "): any exception or NMI ends like this.");
    } else if (!cpu.idt->gap.empty()) {
        e.hints.push_back("The IDT can't be read: " + cpu.idt->gap + ".");
    }
    if (!cpu.code.gap.empty() && cpu.code.bytes.empty())
        e.hints.push_back("RIP points at no code: " + cpu.code.gap + ".");
    if (!cpu.stack.gap.empty() && cpu.stack.bytes.empty()) {
        e.hints.push_back("The stack can't be written: " + cpu.stack.gap + ".");
    }
    return e;
}

}  // namespace carrel::observe
