// What KVM means when it gives a vCPU up, in words.
#pragma once

#include <string>
#include <vector>

#include "vmm/kvm/exit.h"
#include "vmm/observe/cpu_snapshot.h"

namespace carrel::observe {

struct Explanation {
    std::string cause;                 // one sentence, the first line of a report
    std::vector<std::string> hints;    // what makes it likely, what to do; one sentence each
    std::vector<std::string> figures;  // KVM's own words and numbers
};

Explanation explain(const kvm::FailedExit& exit, const CpuSnapshot& cpu);
Explanation explain_triple_fault(const CpuSnapshot& cpu);

// A hardware exit reason in words; "exit reason 0x…" for one that these tables lack.
std::string hardware_exit_words(uint64_t reason, Vendor vendor);
// Why the processor refused to enter the guest.
std::string entry_failure_words(uint64_t reason, Vendor vendor);

}  // namespace carrel::observe
