#include "vmm/sched/bells.h"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "vmm/sched/lease_timers.h"

namespace carrel::sched {

Result<Bells> Bells::create() {
    Fd epoll(::epoll_create1(EPOLL_CLOEXEC));
    if (!epoll.valid()) return os_error(errno, "cannot create an epoll instance");
    return Bells(std::move(epoll));
}

// Edge-triggered: each write is an event, and the counter needs no reading.
bool Bells::watch(int bell) const {
    epoll_event event{.events = EPOLLIN | EPOLLET, .data = {.fd = bell}};
    return ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, bell, &event) == 0;
}

Result<void> Bells::add(int bell) {
    MutexLock lock(mutex_);
    if (!watch(bell)) return os_error(errno, "cannot wait for a guest's vCPUs");
    bells_[bell] = Bell{};
    return {};
}

void Bells::remove(int bell) {
    MutexLock lock(mutex_);
    bells_.erase(bell);
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, bell, nullptr);
}

void Bells::wait(std::optional<Nanoseconds> deadline) {
    Nanoseconds now = monotonic_time();
    if (listen_again(now)) deadline = std::min(deadline.value_or(now + kMillisecond), now + kMillisecond);
    timespec time{};
    if (deadline) {
        const Nanoseconds left = std::max<Nanoseconds>(*deadline - now, 0);
        time = {left / kSecond, left % kSecond};
    }
    std::array<epoll_event, 64> events;
    const int count =
        ::epoll_pwait2(epoll_.get(), events.data(), events.size(), deadline ? &time : nullptr, nullptr);
    for (int i = 0; i < count; ++i) count_ring(events[static_cast<size_t>(i)].data.fd);
}

void Bells::count_ring(int bell) {
    MutexLock lock(mutex_);
    const auto found = bells_.find(bell);
    if (found == bells_.end() || ++found->second.rings < kMostRings) return;
    found->second.ignored = true;
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, bell, nullptr);
}

// True: some aren't listened to.
bool Bells::listen_again(Nanoseconds now) {
    MutexLock lock(mutex_);
    if (now - window_ < kWindow)
        return std::ranges::any_of(bells_, [](const auto& one) { return one.second.ignored; });
    window_ = now;
    for (auto& [fd, bell] : bells_) {
        if (bell.ignored) (void)watch(fd);
        bell = Bell{};
    }
    return false;
}

}  // namespace carrel::sched
