#include "vmm/base/event_loop.h"

#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "vmm/base/check.h"

namespace carrel {
namespace {
constexpr int kEventsAtOnce = 32;
}

Result<std::unique_ptr<EventLoop>> EventLoop::create(const Clock& clock) {
    Fd epoll(::epoll_create1(EPOLL_CLOEXEC));
    if (!epoll.valid()) return os_error(errno, "cannot create an epoll instance");
    Fd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!wake.valid()) return os_error(errno, "cannot create an eventfd");
    epoll_event event{.events = EPOLLIN, .data = {.ptr = nullptr}};
    if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, wake.get(), &event) != 0) return os_error(errno, "epoll_ctl");
    return std::make_unique<EventLoop>(clock, std::move(epoll), std::move(wake));
}

EventLoop::~EventLoop() = default;

Result<void> EventLoop::watch(int fd, uint32_t events, Callback callback) {
    auto watch = std::make_unique<Watch>(Watch{fd, events, std::move(callback), charge_});
    epoll_event event{.events = events, .data = {.ptr = watch.get()}};
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
        return os_error(errno, "cannot wait for descriptor " + std::to_string(fd));
    }
    watches_[fd] = std::move(watch);
    return {};
}

void EventLoop::change(int fd, uint32_t events) {
    const auto found = watches_.find(fd);
    CHECK(found != watches_.end());
    found->second->events = events;
    if (found->second->held) return;
    epoll_event event{.events = events, .data = {.ptr = found->second.get()}};
    CHECK(::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) == 0);
}

void EventLoop::unwatch(int fd) {
    auto node = watches_.extract(fd);
    if (node.empty()) return;
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
    node.mapped()->ended = true;
    if (calling_) ended_.push_back(std::move(node.mapped()));
}

uint64_t EventLoop::at(Nanoseconds deadline, Task task) {
    const uint64_t id = next_timer_++;
    timers_.emplace(std::pair(deadline, id), Work{std::move(task), charge_});
    return id;
}

void EventLoop::cancel(uint64_t timer) {
    std::erase_if(timers_, [timer](const auto& entry) { return entry.first.second == timer; });
}

void EventLoop::post(Task task) {
    {
        MutexLock lock(mutex_);
        posted_.push_back(std::move(task));
    }
    const uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one);
}

void EventLoop::stop() {
    post([this] { stopping_ = true; });
}

void EventLoop::run_posted() {
    uint64_t count = 0;
    [[maybe_unused]] const auto got = ::read(wake_.get(), &count, sizeof count);
    std::vector<Task> tasks;
    {
        MutexLock lock(mutex_);
        tasks.swap(posted_);
    }
    for (Task& task : tasks) task();
}

void EventLoop::run_timers() {
    const Nanoseconds now = clock_.now();
    while (!timers_.empty() && timers_.begin()->first.first <= now) {
        auto node = timers_.extract(timers_.begin());
        charged(node.mapped().charge, node.mapped().task);
    }
}

template <class Call>
void EventLoop::charged(const Charge& charge, Call&& work) {
    if (!charge) return work();
    const Nanoseconds before = thread_cpu_time();
    {
        const ChargeScope scope(*this, charge);
        work();
    }
    charge->charge(thread_cpu_time() - before);
}

// True: its charge has spent its share, and it has to wait.
bool EventLoop::hold(Watch& watch) {
    if (!watch.charge) return false;
    const Nanoseconds until = watch.charge->held_until();
    if (until == 0) return false;
    watch.held = true;
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, watch.fd, nullptr);
    at(until, [this, fd = watch.fd] { let_go(fd); });
    return true;
}

// The descriptor may be another's by now, which isn't held, or is and then only looks early.
void EventLoop::let_go(int fd) {
    const auto found = watches_.find(fd);
    if (found == watches_.end() || !found->second->held) return;
    found->second->held = false;
    epoll_event event{.events = found->second->events, .data = {.ptr = found->second.get()}};
    CHECK(::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0);
}

int EventLoop::timeout_ms() const {
    if (timers_.empty()) return -1;
    const Nanoseconds left = timers_.begin()->first.first - clock_.now();
    if (left <= 0) return 0;
    constexpr Nanoseconds kLongest = 3600 * kSecond;
    return static_cast<int>((std::min(left, kLongest) + kMillisecond - 1) / kMillisecond);
}

void EventLoop::call_all(std::span<const epoll_event> events) {
    calling_ = true;
    for (const epoll_event& event : events) {
        auto* const watch = static_cast<Watch*>(event.data.ptr);
        if (watch == nullptr)
            run_posted();
        else if (!watch->ended && !hold(*watch))
            charged(watch->charge, [&] { watch->callback(event.events); });
    }
    calling_ = false;
    ended_.clear();
}

void EventLoop::run() {
    std::array<epoll_event, kEventsAtOnce> events{};
    while (!stopping_) {
        const int count = ::epoll_wait(epoll_.get(), events.data(), kEventsAtOnce, timeout_ms());
        CHECK(count >= 0 || errno == EINTR);
        if (count > 0) call_all(std::span(events).first(static_cast<size_t>(count)));
        run_timers();
        bulk_.round();
    }
}

}  // namespace carrel
