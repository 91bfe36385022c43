#include "vmm/isolate/far_vcpu.h"

#include <csignal>
#include <utility>

#include "vmm/base/signals.h"

namespace carrel::isolate {

void FarVcpu::kick() {
    board_.nudge(place_);
    const int32_t thread = board_.share(place_).thread.load(std::memory_order_acquire);
    if (thread > 0) ::tgkill(process_, thread, signals::kick());
}

bool FarVcpu::seems_halted() const {
    MutexLock lock(mutex_);
    return !halts_ || halts_->read().halted_now;
}

void FarVcpu::see_halts_by(kvm::HaltStatistics statistics) {
    MutexLock lock(mutex_);
    halts_.emplace(std::move(statistics));
}

}  // namespace carrel::isolate
