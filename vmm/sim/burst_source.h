// BurstSource: one vCPU's bursts, one after the other.
#pragma once

#include <optional>

#include "vmm/sim/random.h"
#include "vmm/sim/scenario.h"

namespace carrel::sim {

struct Burst {
    static constexpr Nanoseconds kEndless = INT64_MAX / 4;
    Nanoseconds arrival;
    Nanoseconds length;  // CPU time
};

class BurstSource {
  public:
    // `workload` must live as long.
    BurstSource(const Workload& workload, uint64_t seed) : workload_(&workload), random_(seed) {}

    // The next one, when the last was done at `now`. none: it wants nothing more.
    std::optional<Burst> next(Nanoseconds now);

  private:
    std::optional<Burst> repeated(Nanoseconds now);

    const Workload* workload_;
    Random random_;
    uint64_t count_ = 0;  // so many have been given
};

}  // namespace carrel::sim
