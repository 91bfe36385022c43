// CPUID as plain data: what a vCPU answers, leaf by leaf.
#pragma once

#include <cstdint>
#include <vector>

namespace carrel {

struct CpuidLeaf {
    uint32_t function = 0;
    uint32_t index = 0;          // sub-leaf
    bool index_matters = false;  // KVM_CPUID_FLAG_SIGNIFCANT_INDEX
    uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
    bool operator==(const CpuidLeaf&) const = default;
};

using CpuidTable = std::vector<CpuidLeaf>;

}  // namespace carrel
