// MachineDescription: the identity of a machine as its guest sees it. Computed once when the machine is made,
// saved with it, and never derived again from the host (DESIGN.md section 10).
#pragma once

#include <cstdint>
#include <vector>

#include "vmm/model/cpuid_x86.h"
#include "vmm/model/ram_map.h"

namespace carrel {

struct MachineDescription {
    RamMap ram;
    std::vector<uint32_t> apic_ids;  // one for each vCPU, in order
    CpuidTable cpuid;                // of vCPU 0; per-vCPU fields are filled in by cpuid_of()
    uint32_t tsc_khz = 0;
    std::vector<uint32_t> msr_list;  // what a saved vCPU holds
    uint32_t cpus() const { return static_cast<uint32_t>(apic_ids.size()); }
};

}  // namespace carrel
