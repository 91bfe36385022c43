// The processors' own numbers: Intel SDM volume 3, appendix C (exit reasons) and 31.4 (instruction errors);
// AMD APM volume 2, appendix C (exit codes). Those that a person may meet in a report; the others stay
// numbers.
#include <fmt/core.h>

#include <span>

#include "vmm/observe/failure_words.h"

namespace carrel::observe {
namespace {

struct Words {
    uint64_t number;
    const char* words;
};

constexpr Words kVmxExits[] = {
    {0, "exception or NMI"},
    {2, "triple fault"},
    {9, "task switch"},
    {10, "CPUID"},
    {12, "HLT"},
    {18, "VMCALL"},
    {28, "control-register access"},
    {30, "I/O instruction"},
    {31, "RDMSR"},
    {32, "WRMSR"},
    {48, "EPT violation"},
    {49, "EPT misconfiguration"},
    {52, "preemption timer"},
    {55, "XSETBV"},
    {63, "XSAVES"},
    {64, "XRSTORS"},
};
// Basic exit reasons of a failed entry, bit 31 of the reason set (SDM volume 3, 27.8).
constexpr Words kVmxEntryFailures[] = {
    {33,
     "the guest's state is invalid: a register or segment that the boot code loaded breaks a rule of VM "
     "entry"},
    {34, "an MSR couldn't be loaded"},
    {41, "a machine check during the entry"},
};
// VM-instruction errors (SDM volume 3, 31.4).
constexpr Words kVmxInstructionErrors[] = {
    {4, "VMLAUNCH with a VMCS that isn't clear"},
    {5, "VMRESUME with a VMCS that wasn't launched"},
    {7, "invalid control fields in the VMCS"},
    {8, "invalid host state in the VMCS"},
    {12, "an unsupported VMCS field"},
    {26, "entry blocked by MOV SS"},
};
constexpr Words kSvmExits[] = {
    {0x4e, "page fault"}, {0x60, "interrupt"},       {0x61, "NMI"},        {0x72, "CPUID"},
    {0x78, "HLT"},        {0x7b, "I/O instruction"}, {0x7c, "MSR access"}, {0x7d, "task switch"},
    {0x7f, "shutdown"},   {0x81, "VMMCALL"},         {0x8d, "XSETBV"},     {0x400, "nested page fault"},
};
constexpr uint64_t kVmxEntryFailed = 1u << 31;
constexpr uint64_t kSvmInvalid = 0xffff'ffff;  // VMEXIT_INVALID is -1; some kernels keep 64 bits of it

const char* find(std::span<const Words> table, uint64_t number) {
    for (const Words& row : table) {
        if (row.number == number) return row.words;
    }
    return nullptr;
}

}  // namespace

std::string hardware_exit_words(uint64_t reason, Vendor vendor) {
    const char* words = nullptr;
    if (vendor == Vendor::kIntel) words = find(kVmxExits, reason & 0xffff);
    if (vendor == Vendor::kAmd) words = find(kSvmExits, reason);
    return words != nullptr ? fmt::format("exit reason {:#x} ({})", reason, words)
                            : fmt::format("exit reason {:#x}", reason);
}

std::string entry_failure_words(uint64_t reason, Vendor vendor) {
    if (vendor == Vendor::kAmd && (reason & kSvmInvalid) == kSvmInvalid) {
        return "the guest's state or the control block is invalid (VMEXIT_INVALID)";
    }
    const char* words = nullptr;
    if (vendor == Vendor::kIntel) {
        words = (reason & kVmxEntryFailed) != 0 ? find(kVmxEntryFailures, reason & 0xffff)
                                                : find(kVmxInstructionErrors, reason);
    }
    return words != nullptr ? words : "a reason that carrel has no words for";
}

}  // namespace carrel::observe
