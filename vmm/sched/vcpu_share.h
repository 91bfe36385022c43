// VcpuShare: all that passes between the scheduler and one vCPU's thread. Plain data without a pointer, so
// that it may lie in memory shared by two processes (`carrel host --isolate`), and a futex.
//
//      scheduler                                     vCPU's thread
//      lease_end = …, grant + 1, word + 1, wake ───► runs until its CPU time is lease_end
//      ◄─── report {waiting | halted, grant}, cpu, in the list of reports, doorbell + 1, wake
//
// Where nothing can follow from a lease's end before the guest's next period, the scheduler says so with the
// grant (`quiet`), and isn't woken: a capped vCPU that spins costs one wake-up of its scheduler a period, not
// two.
//
// A report names the grant that it is about: one that crossed with a newer grant is out of date and is left
// alone.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "vmm/base/clock.h"

namespace carrel::sched {

// Of a vCPU, as its thread says.
enum class VcpuReport : uint32_t {
    kStarting,  // hasn't run yet
    kWaiting,   // wants to run and has no lease: its thread is parked
    kHalted,    // the guest has halted it, in KVM
};

struct alignas(64) VcpuShare {
    static constexpr int64_t kNoLease = 0;
    static constexpr int64_t kUnlimited = INT64_MAX;

    // Written by the scheduler.
    std::atomic<uint32_t> word{0};   // the futex: changes whenever the thread has something to look at
    std::atomic<uint32_t> grant{0};  // which one this is
    std::atomic<int64_t> lease_end{kNoLease};  // of the thread's CPU time, ns
    std::atomic<int64_t> granted_at{0};        // CLOCK_MONOTONIC
    std::atomic<uint32_t> quiet{0};  // 1: that it waits need not be told at once, the scheduler will look

    // Written by the vCPU's thread.
    alignas(64) std::atomic<uint64_t> report{0};  // pack()
    std::atomic<int64_t> cpu{0};                  // its CPU time then, ns; with that of the threads before it
    std::atomic<int64_t> reported_at{0};          // CLOCK_MONOTONIC
    std::atomic<uint32_t> next{0};                // in the list of reports
    std::atomic<uint32_t> listed{0};              // 1: it is in there
    std::atomic<int64_t> quota_waits{0};          // time parked for a lease, of those that have ended; ns
    std::atomic<int64_t> parked_since{0};         // CLOCK_MONOTONIC; 0: it isn't
    std::atomic<int32_t> thread{0};               // gettid(2); 0: there is none

    // How long its thread has been parked for want of a lease, until `now`. Any thread. One that has its
    // lease waits for a host CPU only.
    Nanoseconds waited_for_quota(Nanoseconds now) const {
        const Nanoseconds ended = quota_waits.load(std::memory_order_relaxed);
        const Nanoseconds since = parked_since.load(std::memory_order_acquire);
        if (since == 0) return ended;
        const Nanoseconds granted = granted_at.load(std::memory_order_relaxed);
        return ended + std::max<Nanoseconds>((granted >= since ? granted : now) - since, 0);
    }

    static uint64_t pack(VcpuReport report, uint32_t grant) {
        return uint64_t{grant} << 32 | static_cast<uint32_t>(report);
    }
    static VcpuReport report_of(uint64_t packed) {
        return static_cast<VcpuReport>(static_cast<uint32_t>(packed));
    }
    static uint32_t grant_of(uint64_t packed) { return static_cast<uint32_t>(packed >> 32); }
};
static_assert(std::atomic<int64_t>::is_always_lock_free && std::atomic<uint32_t>::is_always_lock_free,
              "these lie in shared memory");

}  // namespace carrel::sched
