// Which KVM is it: Intel's, AMD's, either of them nested, or one in software?
#pragma once

#include <optional>
#include <string>

#include "vmm/app/doctor_report.h"
#include "vmm/app/host_files.h"

namespace carrel::app {

struct KvmKind {
    bool vmx = false;  // flags in /proc/cpuinfo
    bool svm = false;
    bool hypervisor = false;  // this machine is a guest itself
    std::string module;       // "kvm_intel", "kvm_amd", another kvm_… or empty (not loaded, or not visible)
    std::string paging;       // the module's "ept" or "npt" parameter: "Y", "N" or empty (unknown)
    std::string nested;       // its "nested" parameter
    std::string kernel;       // release

    bool hardware() const { return vmx || svm; }
};

KvmKind look_at_kind(Opener& opener);
Finding judge_kind(const KvmKind& kind);

}  // namespace carrel::app
