// FarVcpu: a vCPU of another process, as the host's scheduler reaches it.
#pragma once

#include <sys/types.h>

#include <optional>

#include "vmm/base/mutex.h"
#include "vmm/kvm/halt_statistics.h"
#include "vmm/sched/lease_source.h"

namespace carrel::isolate {

// Any thread. While the process hasn't been waited for: its number could be another's afterwards.
class FarVcpu final : public sched::ScheduledVcpu {
  public:
    FarVcpu(pid_t process, const sched::ShareBoard& board, uint32_t place)
        : process_(process), board_(board), place_(place) {}

    // Wakes its thread where that is parked, and takes it out of KVM_RUN by the signal whose handler in that
    // process does so. The thread's number is what the process says; only its own can be meant by it.
    void kick() override;
    // Before it has said by what that can be seen: maybe.
    bool seems_halted() const override EXCLUDES(mutex_);
    void see_halts_by(kvm::HaltStatistics statistics) EXCLUDES(mutex_);

  private:
    const pid_t process_;
    const sched::ShareBoard& board_;
    const uint32_t place_;
    mutable Mutex mutex_;
    std::optional<kvm::HaltStatistics> halts_ GUARDED_BY(mutex_);
};

}  // namespace carrel::isolate
