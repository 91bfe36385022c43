#include "vmm/observe/failure_report.h"

#include "vmm/observe/cpu_snapshot.h"
#include "vmm/observe/failure_words.h"
#include "vmm/observe/report_text.h"

namespace carrel::observe {

std::string failure_report(const kvm::FailedExit& exit, const kvm::Vcpu& vcpu, const GuestMemory& memory) {
    const CpuSnapshot cpu = take_snapshot(vcpu, memory);
    return report_text(explain(exit, cpu), cpu);
}

std::string triple_fault_report(const kvm::Vcpu& vcpu, const GuestMemory& memory) {
    const CpuSnapshot cpu = take_snapshot(vcpu, memory);
    return report_text(explain_triple_fault(cpu), cpu);
}

}  // namespace carrel::observe
