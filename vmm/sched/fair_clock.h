// FairClock: the virtual time of start-time fair queueing. A guest's time runs slower the more it weighs; who
// is furthest behind goes first, so that in the long run each gets CPU time in proportion to its weight.
#pragma once

#include <algorithm>

#include "vmm/model/cpu_quota.h"

namespace carrel::sched {

using VirtualTime = int64_t;

// How fast a guest's virtual time runs.
class FairRate {
  public:
    explicit FairRate(uint32_t weight) : per_ns_((uint64_t{CpuQuota::kMostWeight} << kShift) / weight) {}

    // What `used` costs it. Longer than an hour counts as one: who ran so long was alone.
    VirtualTime cost(Nanoseconds used) const {
        __extension__ typedef unsigned __int128 Wide;
        const auto time = static_cast<uint64_t>(std::clamp<Nanoseconds>(used, 0, kMost));
        return static_cast<VirtualTime>((Wide{time} * per_ns_) >> kShift);
    }

  private:
    static constexpr int kShift = 32;  // no division where leases are granted
    static constexpr Nanoseconds kMost = 3600 * kSecond;

    uint64_t per_ns_;
};

class FairClock {
  public:
    explicit FairClock(Nanoseconds slice) : slice_(slice) {}

    // A vCPU queues: gives its start tag, which is no earlier than `earliest`, and moves its guest's finish
    // tag on by what it will probably use, so that siblings queue one behind the other.
    static VirtualTime start(VirtualTime& finish, VirtualTime cost, VirtualTime earliest) {
        const VirtualTime start = std::max(finish, earliest);
        finish = start + cost;
        return start;
    }

    // Who slept may be behind by as much as one slice, which brings it in at once; all else that it didn't
    // want is gone.
    VirtualTime earliest(const FairRate& rate) const { return now_ - rate.cost(slice_); }

    // Time is where the last lease began.
    void advance(VirtualTime to) { now_ = std::max(now_, to); }

    VirtualTime now() const { return now_; }
    void reset() { now_ = 0; }

    // Tags grow for as long as the host runs: before they overflow (with weight 1, after 32 hours) all are
    // taken back by now(), whose result is 0 then.
    bool overdue() const { return now_ > kRebase; }
    static VirtualTime rebased(VirtualTime tag, VirtualTime by) { return std::max(tag, by - kRebase) - by; }

  private:
    static constexpr VirtualTime kRebase = VirtualTime{1} << 60;

    Nanoseconds slice_;
    VirtualTime now_ = 0;
};

}  // namespace carrel::sched
