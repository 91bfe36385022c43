// FairClock: the virtual time of start-time fair queueing. A guest's time runs slower the more it weighs; who
// is furthest behind goes first, so that in the long run each gets CPU time in proportion to its weight.
#pragma once

#include <algorithm>

#include "vmm/model/cpu_quota.h"

namespace carrel::sched {

using VirtualTime = int64_t;

class FairClock {
  public:
    explicit FairClock(Nanoseconds slice) : slice_(slice) {}

    // What `used` costs a guest of that weight. Longer than an hour counts as one: who ran so long was alone.
    static VirtualTime cost(Nanoseconds used, uint32_t weight) {
        return std::clamp<Nanoseconds>(used, -kMost, kMost) * CpuQuota::kMostWeight / weight;
    }

    // A vCPU queues: gives its start tag, which is no earlier than `earliest`, and moves its guest's finish
    // tag on by what it will probably use, so that siblings queue one behind the other.
    static VirtualTime start(VirtualTime& finish, VirtualTime cost, VirtualTime earliest) {
        const VirtualTime start = std::max(finish, earliest);
        finish = start + cost;
        return start;
    }

    // Who slept may be behind by as much as one slice, which brings it in at once; all else that it didn't
    // want is gone.
    VirtualTime earliest(uint32_t weight) const { return now_ - cost(slice_, weight); }

    // Time is where the last lease began.
    void advance(VirtualTime to) { now_ = std::max(now_, to); }

    VirtualTime now() const { return now_; }
    void reset() { now_ = 0; }

    // Tags grow for as long as the host runs: before they overflow (with weight 1, after 32 hours) all are
    // taken back by now(), whose result is 0 then.
    bool overdue() const { return now_ > kRebase; }
    static VirtualTime rebased(VirtualTime tag, VirtualTime by) { return std::max(tag, by - kRebase) - by; }

  private:
    static constexpr Nanoseconds kMost = 3600 * kSecond;
    static constexpr VirtualTime kRebase = VirtualTime{1} << 60;

    Nanoseconds slice_;
    VirtualTime now_ = 0;
};

}  // namespace carrel::sched
