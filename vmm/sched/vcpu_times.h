// VcpuTimes: where a vCPU's time went. Each part has a source of its own and none is what the others leave,
// so that the residual shows whether they are right:
//
//      wall = run + waiting for quota + waiting for a host CPU + waiting for memory + halted + paused  (+
//      residual)
//
//   part                   source                                              kept apart by
//   run                    the thread's CPU clock
//   waiting for quota      stamps of its thread: parked without a lease        ends when the lease is
//   granted: what the
//                                                                             thread waits then is the host's
//   waiting for a host CPU  run_delay, /proc/self/task/TID/schedstat
//   waiting for memory     stamps of its thread: held, since its memory was denied
//   halted                 KVM's halt_wait_ns, complete at a wake-up only: who samples kicks a halted vCPU
//   first paused                 stamps of its thread at the gate
#pragma once

#include <atomic>
#include <optional>

#include "vmm/base/clock.h"
#include "vmm/base/fd.h"
#include "vmm/base/opener.h"
#include "vmm/base/result.h"

namespace carrel::sched {

struct VcpuTimes {
    Nanoseconds wall = 0;  // since its thread began
    Nanoseconds run = 0;
    Nanoseconds quota = 0;
    Nanoseconds host_cpu = 0;
    Nanoseconds memory = 0;
    Nanoseconds halted = 0;
    Nanoseconds paused = 0;

    Nanoseconds residual() const { return wall - run - quota - host_cpu - memory - halted - paused; }
    VcpuTimes operator-(const VcpuTimes& before) const {
        return {wall - before.wall,         run - before.run,       quota - before.quota,
                host_cpu - before.host_cpu, memory - before.memory, halted - before.halted,
                paused - before.paused};
    }
};

// What the kernel knows of one of our threads. Any thread of this process.
class ThreadTimes {
  public:
    struct Values {
        Nanoseconds run = 0;
        Nanoseconds waited = 0;  // runnable, for a host CPU
    };
    static Result<ThreadTimes> open(Opener& opener, int thread);  // gettid(2) of one that lives
    std::optional<Values> read() const;                           // none: it has ended

  private:
    ThreadTimes(int thread, Fd schedstat) : thread_(thread), schedstat_(std::move(schedstat)) {}
    int thread_;
    Fd schedstat_;
};

// Time that a thread spends waiting for one reason, read by others while it goes on. One writer.
class WaitStamp {
  public:
    void begin(Nanoseconds now) { since_.store(now, std::memory_order_release); }
    void end(Nanoseconds now) {
        const Nanoseconds since = since_.load(std::memory_order_relaxed);
        total_.store(total_.load(std::memory_order_relaxed) + now - since, std::memory_order_relaxed);
        since_.store(0, std::memory_order_release);
    }
    Nanoseconds total(Nanoseconds now) const {
        const Nanoseconds since = since_.load(std::memory_order_acquire);
        return total_.load(std::memory_order_relaxed) + (since != 0 ? now - since : 0);
    }

  private:
    std::atomic<Nanoseconds> total_{0};
    std::atomic<Nanoseconds> since_{0};  // 0: it isn't waiting
};

}  // namespace carrel::sched
