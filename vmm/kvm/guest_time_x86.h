// GuestTime: a machine's clocks, stopped for a pause and let go on as if there had been none.
//
// A guest reads time from the TSC and from kvm-clock, and is woken by a timer that counts the one or the
// other. All run on while its vCPUs stand, so at the end of a pause each is set back by what has passed:
// kvm-clock by KVM_SET_CLOCK, the TSCs of all vCPUs by the same amount (so that they stay in step) through
// their offsets, and the deadline, which is a value of the TSC, is armed anew against the TSC that has moved.
#pragma once

#include <linux/kvm.h>

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "vmm/kvm/vcpu.h"
#include "vmm/kvm/vm.h"

namespace carrel::kvm {

// Threads: one; all vCPUs stopped from stop() to go_on(). In between no state is saved: the deadlines are
// here.
class GuestTime {
  public:
    static Result<GuestTime> stop(const Vm& vm, std::span<const std::unique_ptr<Vcpu>> vcpus);
    Result<void> go_on(const Vm& vm, std::span<const std::unique_ptr<Vcpu>> vcpus) const;
    // The clocks have run on, and shall: only what stop() took away comes back.
    Result<void> keep_running(std::span<const std::unique_ptr<Vcpu>> vcpus) const;

  private:
    struct OfVcpu {
        uint64_t tsc = 0;
        uint64_t deadline = 0;                    // IA32_TSC_DEADLINE; 0: not armed
        std::optional<kvm_lapic_state> counting;  // its timer counts bus cycles (one-shot or periodic)
    };
    static Result<OfVcpu> stop(Vcpu& vcpu);
    static Result<void> set_back(Vcpu& vcpu, uint64_t passed, uint64_t stopped_at);

    uint64_t clock_ = 0;  // kvm-clock, ns
    std::vector<OfVcpu> vcpus_;
};

}  // namespace carrel::kvm
