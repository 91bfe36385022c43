// VcpuSampler: where the time of one vCPU went, each part from its source (vmm/sched/vcpu_times.h).
#pragma once

#include <optional>

#include "vmm/base/opener.h"
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
class VcpuSampler final : private sched::TimeSources {
  public:
    // Long enough for a kicked vCPU to have left its halt and counted it.
    static constexpr Nanoseconds kSettle = kMillisecond;

    VcpuSampler(VcpuRunner& runner, Opener& opener) : runner_(runner), opener_(opener) {}

    // First: KVM counts a halt when it ends, so a halted vCPU is kicked. It goes on halting.
    void settle();
    // kSettle later. none: its thread hasn't begun, or has ended.
    std::optional<VcpuSample> sample();

  private:
    bool follow_thread();
    // TimeSources
    std::optional<sched::ThreadTimes::Values> thread() override { return thread_->read(); }
    Nanoseconds halted() override;
    Stamps stamps() override { return runner_.stamps(); }

    VcpuRunner& runner_;
    Opener& opener_;
    std::optional<sched::ThreadTimes> thread_;
};

}  // namespace carrel
