// ChargeSink: one VM's account of the CPU time that the process's own threads spend for it. How devices and
// loops reach it without knowing the scheduler.
#pragma once

#include "vmm/base/clock.h"

namespace carrel {

// Any thread.
class ChargeSink {
  public:
    virtual ~ChargeSink() = default;
    // `cpu` ns of the calling thread were spent for this VM.
    virtual void charge(Nanoseconds cpu) = 0;
    // Until when (CLOCK_MONOTONIC) nothing more is to be done for it, its share of this period being spent;
    // 0: go on.
    virtual Nanoseconds held_until() = 0;
};

// CPU time of the calling thread.
inline Nanoseconds thread_cpu_time() {
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

}  // namespace carrel
