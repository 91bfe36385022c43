#include "vmm/machine/vcpu_sampler.h"

namespace carrel {

bool VcpuSampler::follow_thread() {
    if (thread_) return true;
    const int32_t thread = stamps().thread;
    if (thread == 0) return false;
    if (auto times = sched::ThreadTimes::open(opener_, thread); times.ok())
        thread_.emplace(std::move(*times));
    return thread_.has_value();
}

void VcpuSampler::settle() {
    if (runner_.halts() && runner_.halts()->read().halted_now) runner_.kick();
}

std::optional<VcpuSample> VcpuSampler::sample() {
    if (!follow_thread()) return std::nullopt;
    const auto times = sched::take_times(*this);
    if (!times) return std::nullopt;
    return VcpuSample{stamps().thread, *times, runner_.halts().has_value()};
}

Nanoseconds VcpuSampler::halted() {
    return runner_.halts() ? runner_.halts()->read().halted : 0;
}

}  // namespace carrel
