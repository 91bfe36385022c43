#include "vmm/sched/lease_timers.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <utility>

#include "vmm/base/check.h"
#include "vmm/base/signals.h"

namespace carrel::sched {

Result<KickTimer> KickTimer::create(clockid_t clock) {
    sigevent event{};
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = signals::kick();
    event._sigev_un._tid = ::gettid();
    timer_t timer{};
    if (::timer_create(clock, &event, &timer) != 0)
        return os_error(errno, "cannot create a timer for a vCPU's lease",
                        "raise the limit on pending signals (ulimit -i)");
    return KickTimer(timer);
}

KickTimer::KickTimer(KickTimer&& other) noexcept
    : timer_(other.timer_), valid_(std::exchange(other.valid_, false)), at_(other.at_) {}

KickTimer::~KickTimer() {
    if (valid_) ::timer_delete(timer_);
}

void KickTimer::arm(Nanoseconds at) {
    at_ = std::max<Nanoseconds>(at, 1);  // 0 would disarm it
    const itimerspec when{{0, 0}, {at_ / kSecond, at_ % kSecond}};
    CHECK(::timer_settime(timer_, TIMER_ABSTIME, &when, nullptr) == 0);
}

void KickTimer::disarm(Nanoseconds now) {
    if (std::exchange(at_, 0) <= now) return;  // it has fired
    const itimerspec never{};
    CHECK(::timer_settime(timer_, 0, &never, nullptr) == 0);
}

}  // namespace carrel::sched
