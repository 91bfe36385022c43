// Kvm: the system, /dev/kvm itself. Start reading here; then vm.h, then vcpu.h.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "vmm/base/opener.h"
#include "vmm/base/result.h"
#include "vmm/model/cpuid_x86.h"

namespace carrel::kvm {

class Vm;

// What no guest runs without.
struct RequiredCapability {
    long number;
    const char* name;  // KVM_CAP_...
};
std::span<const RequiredCapability> required_capabilities();

// Any thread. "4.x" in comments is a section of Documentation/virt/kvm/api.rst.
class Kvm {
  public:
    // Opens `path` and checks the API version (12, fixed since Linux 2.6.22). The error says who may open it
    // and what line helps.
    static Result<Kvm> open(Opener& opener, const std::string& path = "/dev/kvm");

    // KVM_CHECK_EXTENSION (4.4): 0 where the kernel lacks it.
    int check(long capability) const;
    // Whether it has all of required_capabilities(); the error names the first that it lacks.
    Result<void> check_required() const;
    uint32_t max_vcpus() const;
    // KVM_GET_SUPPORTED_CPUID (4.46): what this host and KVM can back.
    Result<CpuidTable> supported_cpuid() const;
    // KVM_GET_MSR_INDEX_LIST (4.3): the MSRs that make up a vCPU's state.
    Result<std::vector<uint32_t>> msr_list() const;
    // KVM_GET_VCPU_MMAP_SIZE (4.5).
    Result<size_t> run_size() const;
    // KVM_CREATE_VM (4.2); sleeps some milliseconds.
    Result<std::unique_ptr<Vm>> create_vm() const;

    int fd() const { return fd_.get(); }

  private:
    explicit Kvm(Fd fd) : fd_(std::move(fd)) {}
    Fd fd_;
};

}  // namespace carrel::kvm
