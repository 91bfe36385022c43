// VcpuSampler: where the time of one vCPU went, each part from its source (vmm/sched/vcpu_times.h).
#pragma once

#include <optional>

#include "vmm/base/opener.h"
#include "vmm/kvm/halt_statistics.h"
#include "vmm/machine/vcpu_runner.h"
#include "vmm/sched/vcpu_times.h"

namespace carrel {

struct VcpuSample {
    int32_t thread = 0;  // gettid(2)
    sched::VcpuTimes times;
    bool halts_known = false;  // else times.halted is 0: this KVM doesn't count them
};

// Threads: one, while the runner lives. A sample is two steps, so that many vCPUs need to be waited for only
// once.
class VcpuSampler {
  public:
    // Long enough for a kicked vCPU to have left its halt and counted it.
    static constexpr Nanoseconds kSettle = kMillisecond;

    VcpuSampler(VcpuRunner& runner, const kvm::Vcpu& vcpu, Opener& opener)
        : runner_(runner), vcpu_(vcpu), opener_(opener) {}

    // Before the vCPU runs: afterwards KVM gives its statistics to nobody until it leaves the guest, which a
    // halted one doesn't.
    void prepare();
    // First: KVM counts a halt when it ends, so a halted vCPU is kicked. It goes on halting.
    void settle();
    // kSettle later. none: its thread hasn't begun, or has ended.
    std::optional<VcpuSample> sample();

  private:
    bool follow_thread();

    VcpuRunner& runner_;
    const kvm::Vcpu& vcpu_;
    Opener& opener_;
    std::optional<sched::ThreadTimes> thread_;
    std::optional<kvm::HaltStatistics> halts_;
};

}  // namespace carrel
