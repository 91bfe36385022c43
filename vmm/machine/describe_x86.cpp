#include "vmm/machine/describe_x86.h"

#include <fmt/format.h>
#include <linux/kvm.h>

#include "vmm/machine/cpuid_x86.h"

namespace carrel {

Result<MachineDescription> describe(const kvm::Kvm& kvm, const MachineConfig& config) {
    const uint32_t most = kvm.max_vcpus();
    if (config.cpus > most) {
        return usage_error(fmt::format("--cpus: this host's KVM runs at most {} vCPUs in a guest, not {}",
                                       most, config.cpus));
    }
    MachineDescription description;
    description.ram = RamMap::of_size(config.memory_or_default());
    for (uint32_t id = 0; id < config.cpus; ++id) description.apic_ids.push_back(id);
    TRY_ASSIGN(const CpuidTable supported, kvm.supported_cpuid());
    const bool deadline = kvm.check(KVM_CAP_TSC_DEADLINE_TIMER) > 0;
    description.cpuid = machine_cpuid(supported, config.cpu_model, config.cpus, deadline);
    TRY_ASSIGN(description.msr_list, kvm.msr_list());
    return description;
}

}  // namespace carrel
