#include "vmm/machine/vcpu_sampler.h"

#include "vmm/sched/lease_timers.h"

namespace carrel {

bool VcpuSampler::follow_thread() {
    if (thread_) return true;
    const int32_t thread = runner_.waits().thread;
    if (thread == 0) return false;
    if (auto times = sched::ThreadTimes::open(opener_, thread); times.ok())
        thread_.emplace(std::move(*times));
    return thread_.has_value();
}

void VcpuSampler::settle() {
    if (runner_.halts() && runner_.halts()->read().halted_now) runner_.kick();
}

// All parts at one moment: a thread that has to wait in the middle of it tries again.
std::optional<VcpuSample> VcpuSampler::sample() {
    constexpr Nanoseconds kOneMoment = 100 * kMicrosecond;
    constexpr int kTries = 5;
    if (!follow_thread()) return std::nullopt;
    const std::optional<kvm::HaltStatistics>& halts = runner_.halts();
    for (int tries = 1;; ++tries) {
        const Nanoseconds before = sched::monotonic_time();
        const auto thread = thread_->read();
        if (!thread) return std::nullopt;
        const VcpuRunner::Waits waits = runner_.waits();
        VcpuSample sample{waits.thread, {}, halts.has_value()};
        sample.times.run = thread->run;
        sample.times.host_cpu = thread->waited;
        if (halts) sample.times.halted = halts->read().halted;
        sample.times.quota = waits.quota;
        sample.times.memory = waits.memory;
        sample.times.paused = waits.paused;
        sample.times.wall = before - waits.began;
        if (tries == kTries || sched::monotonic_time() - before < kOneMoment) return sample;
    }
}

}  // namespace carrel
