// VcpuTimes: where a vCPU's time went. Each part has a source of its own and none is what the others leave,
// so that the residual shows whether they are right:
//
//      wall = run + quota + host_cpu + memory + halted + paused (+ residual)
//
//   part      source
//   run       the thread's CPU clock
//   quota     stamps of its thread, parked without a lease, up to the grant
//   host_cpu  run_delay in /proc/self/task/TID/schedstat: waiting for a host CPU
//   memory    stamps of its thread, held since its memory was denied, until it was let go
//   halted    KVM's halt_wait_ns, complete at a wake-up only: who samples kicks a halted vCPU first
//   paused    stamps of its thread at the gate, until it was let go
//
// A halt ends for KVM when the vCPU runs again: what it waits for a host CPU after a wake-up is in `halted`
// and in `host_cpu`, and nothing tells how much that is. Where many wake on a busy CPU the residual is below
// zero by it.
//
// What a thread waits after it was granted a lease or let go is for a host CPU, and the kernel counts it.
// Where the host is a guest itself, what was stolen from it is in no thread's clock: the residual shows it.
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
    // `when` the reason went: before the thread ran again, or even before it began to wait.
    void end(Nanoseconds when) {
        const Nanoseconds since = since_.load(std::memory_order_relaxed);
        const Nanoseconds waited = when > since ? when - since : 0;
        total_.store(total_.load(std::memory_order_relaxed) + waited, std::memory_order_relaxed);
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

// Where the parts come from, for who puts them together. A test puts a wrong one in place of each.
class TimeSources {
  public:
    // What the thread itself knows; 0 and 0 before it runs.
    struct Stamps {
        int32_t thread = 0;  // gettid(2)
        Nanoseconds began = 0;
        Nanoseconds quota = 0;
        Nanoseconds memory = 0;
        Nanoseconds paused = 0;
    };
    virtual ~TimeSources() = default;
    virtual std::optional<ThreadTimes::Values> thread() = 0;  // none: it has ended
    virtual Nanoseconds halted() = 0;                         // 0 where nobody counts it
    virtual Stamps stamps() = 0;
};
// All parts at one moment, as nearly as this thread isn't kept waiting in the middle of it. none: it has
// ended.
std::optional<VcpuTimes> take_times(TimeSources& sources);

}  // namespace carrel::sched
