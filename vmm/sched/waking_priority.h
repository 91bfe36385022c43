// WakingPriority: who wakes from a halt goes before who computes. While a vCPU lives on its reserve
// (lease_holder.h), which is short and charged to it, its thread is better by some steps of nice(1): the host's
// kernel lets it run at once then, where it would otherwise let others finish their slices. Where that isn't
// permitted (CAP_SYS_NICE, RLIMIT_NICE), nothing changes.
#pragma once

#include <sys/resource.h>

#include <algorithm>
#include <optional>

namespace carrel::sched {

// Threads: the one whose priority it is.
class WakingPriority {
  public:
    static constexpr int kSteps = 10;
    static constexpr int kBest = -20;  // setpriority(2)

    void raise() {
        if (usual_ || !permitted_) return;
        const int now = ::getpriority(PRIO_PROCESS, 0);  // of this thread alone, in Linux
        permitted_ = ::setpriority(PRIO_PROCESS, 0, std::max(now - kSteps, kBest)) == 0;
        if (permitted_) usual_ = now;
    }
    void lower() {
        if (usual_) (void)::setpriority(PRIO_PROCESS, 0, *usual_);
        usual_.reset();
    }

  private:
    bool permitted_ = true;
    std::optional<int> usual_;  // while it is raised
};

}  // namespace carrel::sched
