// BulkMode: a thread that moves much data gives way to those that it works with.
//
// A thread that wakes up usually takes the CPU from whoever runs on it. For a request that comes alone that
// is right: its answer comes sooner. In the middle of a stream it costs switches: each of a guest's doorbells
// would end its turn, and what it was about to do next would wake the thread once more. SCHED_BATCH
// (sched(7)) is for that: the thread runs when a CPU is free, or when its turn comes, and then finds more to
// do.
#pragma once

#include <sched.h>

namespace carrel {

// Of the thread that calls it, one each.
class BulkMode {
  public:
    // Much has been moved in this round. A thread that somebody has given another policy stays as it is.
    void much() {
        if (rounds_left_ == 0 && ::sched_getscheduler(0) != SCHED_OTHER) return;
        if (rounds_left_ == 0) set(SCHED_BATCH);
        rounds_left_ = kRounds;
    }
    void round() {
        if (rounds_left_ != 0 && --rounds_left_ == 0) set(SCHED_OTHER);
    }

  private:
    // Acknowledgements take rounds of their own between those that move data.
    static constexpr unsigned kRounds = 32;
    // Refused, all works as well, with more switches. It needs no privilege, nor does the way back.
    static void set(int policy) {
        const sched_param none{};
        (void)::sched_setscheduler(0, policy, &none);
    }

    unsigned rounds_left_ = 0;
};

}  // namespace carrel
