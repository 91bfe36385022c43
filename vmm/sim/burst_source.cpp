#include "vmm/sim/burst_source.h"

#include <algorithm>

namespace carrel::sim {

std::optional<Burst> BurstSource::next(Nanoseconds now) {
    const Workload& w = *workload_;
    const uint64_t index = count_++;
    switch (w.kind) {
        case Workload::Kind::kHog:
            if (index > 0) return std::nullopt;
            return Burst{w.arrive, Burst::kEndless};
        case Workload::Kind::kOnce:
            if (index > 0) return std::nullopt;
            return Burst{w.arrive, std::max<Nanoseconds>(random_.around(w.burst, w.jitter), 1)};
        case Workload::Kind::kTrace:
            if (index >= w.trace.size()) return std::nullopt;
            return Burst{w.arrive + w.trace[index].arrival, w.trace[index].burst};
        default: return repeated(now);
    }
}

std::optional<Burst> BurstSource::repeated(Nanoseconds now) {
    const Workload& w = *workload_;
    const bool first = count_ == 1;
    const Nanoseconds length = std::max<Nanoseconds>(random_.around(w.burst, w.jitter), 1);
    if (w.kind == Workload::Kind::kPeriodic)
        return Burst{w.arrive + static_cast<Nanoseconds>(count_ - 1) * w.pause, length};
    return Burst{first ? w.arrive : now + random_.around(w.pause, w.jitter), length};
}

}  // namespace carrel::sim
