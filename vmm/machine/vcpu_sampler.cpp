#include "vmm/machine/vcpu_sampler.h"

#include "vmm/sched/lease_timers.h"

namespace carrel {

bool VcpuSampler::open() {
    if (thread_ && halts_) return true;
    const int32_t thread = runner_.waits().thread;
    if (thread == 0) return false;
    if (auto times = sched::ThreadTimes::open(opener_, thread); times.ok())
        thread_.emplace(std::move(*times));
    if (auto halts = kvm::HaltStatistics::open(vcpu_.fd()); halts.ok()) halts_.emplace(std::move(*halts));
    return thread_ && halts_;
}

void VcpuSampler::settle() {
    if (open() && halts_->read().halted_now) runner_.kick();
}

std::optional<VcpuSample> VcpuSampler::sample() {
    if (!open()) return std::nullopt;
    const auto thread = thread_->read();
    if (!thread) return std::nullopt;
    const VcpuRunner::Waits waits = runner_.waits();
    VcpuSample sample{waits.thread, {}};
    sample.times.run = thread->run;
    sample.times.host_cpu = thread->waited;
    sample.times.halted = halts_->read().halted;
    sample.times.quota = waits.quota;
    sample.times.paused = waits.paused;
    sample.times.wall = sched::monotonic_time() - waits.began;
    return sample;
}

}  // namespace carrel
