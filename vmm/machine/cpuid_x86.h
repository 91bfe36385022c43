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

// The XCR0 to begin with. After power-on it is 1 (SDM volume 3, table 9-1), and CPUID leaf 0xd tells the size
// of the XSAVE area for what is enabled *now*. Linux 7.2 reads that size before it enables the rest and,
// where there is no XSAVEC to ask instead, refuses its own sum and dies. So on such processors (Haswell and
// older, QEMU's TCG) everything is enabled from the start, as firmware may do; 1 elsewhere.
uint64_t initial_xcr0(const CpuidTable& table);

}  // namespace carrel
