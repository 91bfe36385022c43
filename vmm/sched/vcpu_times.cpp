#include "vmm/sched/vcpu_times.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <charconv>
#include <ctime>

#include "vmm/sched/lease_timers.h"

namespace carrel::sched {
namespace {

// A thread's CPU clock by its id, as the kernel spells clock ids (include/linux/posix-timers_types.h:
// CPUCLOCK_SCHED of one thread). glibc gives it for its own handles only.
clockid_t cpu_clock_of(int thread) {
    constexpr unsigned kPerThread = 4;
    constexpr unsigned kScheduled = 2;
    return static_cast<clockid_t>(~static_cast<unsigned>(thread) << 3 | kPerThread | kScheduled);
}

}  // namespace

Result<ThreadTimes> ThreadTimes::open(Opener& opener, int thread) {
    TRY_ASSIGN(Fd fd, opener.open(fmt::format("/proc/self/task/{}/schedstat", thread), O_RDONLY));
    return ThreadTimes(thread, std::move(fd));
}

// "run waited slices" (Documentation/scheduler/sched-stats.rst). Its first figure is as old as the last tick;
// the clock's is exact.
std::optional<ThreadTimes::Values> ThreadTimes::read() const {
    timespec run{};
    if (::clock_gettime(cpu_clock_of(thread_), &run) != 0) return std::nullopt;
    Values values{run.tv_sec * kSecond + run.tv_nsec, 0};
    char text[96];
    const ssize_t length = ::pread(schedstat_.get(), text, sizeof text, 0);
    if (length <= 0) return std::nullopt;
    const char* const end = text + length;
    Nanoseconds stale = 0;
    const auto first = std::from_chars(text, end, stale);
    if (first.ec != std::errc{} || first.ptr == end) return std::nullopt;
    if (std::from_chars(first.ptr + 1, end, values.waited).ec != std::errc{}) return std::nullopt;
    return values;
}

std::optional<VcpuTimes> take_times(TimeSources& sources) {
    constexpr Nanoseconds kOneMoment = 100 * kMicrosecond;
    constexpr int kTries = 5;
    for (int tries = 1;; ++tries) {
        const Nanoseconds now = monotonic_time();
        const auto thread = sources.thread();
        if (!thread) return std::nullopt;
        const TimeSources::Stamps stamps = sources.stamps();
        const VcpuTimes times{.wall = now - stamps.began,
                              .run = thread->run,
                              .quota = stamps.quota,
                              .host_cpu = thread->waited,
                              .memory = stamps.memory,
                              .halted = sources.halted(),
                              .paused = stamps.paused};
        if (tries == kTries || monotonic_time() - now < kOneMoment) return times;
    }
}

}  // namespace carrel::sched
