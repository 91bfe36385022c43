// What the guest's CPUID says. Pure: from what KVM supports to what this machine answers.
#pragma once

#include "vmm/model/cpuid_x86.h"
#include "vmm/model/machine_config.h"

namespace carrel {

// The table of vCPU 0 in a machine of `cpus` processors, each one core with one thread in one package.
// Nothing is added that `supported` doesn't back, but for the topology and, where `tsc_deadline` says so
// (KVM_CAP_TSC_DEADLINE_TIMER; kernels before 6.x don't list the bit), the deadline timer.
CpuidTable machine_cpuid(const CpuidTable& supported, CpuModel model, uint32_t cpus, bool tsc_deadline);

// The table of the vCPU with this APIC id.
CpuidTable cpuid_of(const CpuidTable& machine, uint32_t apic_id);

}  // namespace carrel
