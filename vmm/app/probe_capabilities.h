// Which of KVM's capabilities are missing, and what carrel wants them for.
#pragma once

#include <functional>
#include <vector>

#include "vmm/app/doctor_report.h"
#include "vmm/kvm/kvm.h"

namespace carrel::app {

// What a missing capability costs.
enum class Need {
    kRequired,  // no guest runs without it
    kSpeed,     // guests run, slower
    kFeature,   // one feature is missing
};

struct Capability {
    long number;       // KVM_CAP_…
    const char* name;  // without KVM_CAP_
    Need need;
    const char* used_for;
};

// The table, in the order shown.
const std::vector<Capability>& capabilities();

// `check` is KVM_CHECK_EXTENSION; one finding that sums up, and one for each that is missing.
std::vector<Finding> judge_capabilities(const std::function<int(long)>& check);
std::vector<std::string> missing_required(const std::function<int(long)>& check);
std::vector<CapabilityValue> capability_values(const std::function<int(long)>& check);

// What KVM promises its guests in CPUID leaf 0x40000001 (Documentation/virt/kvm/x86/cpuid.rst).
Finding judge_paravirtual(const CpuidTable& supported);

}  // namespace carrel::app
