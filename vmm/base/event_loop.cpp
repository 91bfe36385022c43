#include "vmm/base/event_loop.h"

#include <sys/epoll.h>
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
    epoll_event event{.events = EPOLLIN, .data = {.fd = wake.get()}};
    if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, wake.get(), &event) != 0) return os_error(errno, "epoll_ctl");
    return std::make_unique<EventLoop>(clock, std::move(epoll), std::move(wake));
}

EventLoop::~EventLoop() = default;

Result<void> EventLoop::watch(int fd, uint32_t events, Callback callback) {
    epoll_event event{.events = events, .data = {.fd = fd}};
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
        return os_error(errno, "cannot wait for descriptor " + std::to_string(fd));
    }
    watches_[fd] = std::make_shared<Watch>(Watch{std::move(callback)});
    return {};
}

void EventLoop::change(int fd, uint32_t events) {
    epoll_event event{.events = events, .data = {.fd = fd}};
    CHECK(::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) == 0);
}

void EventLoop::unwatch(int fd) {
    if (watches_.erase(fd) != 0) ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

uint64_t EventLoop::at(Nanoseconds deadline, Task task) {
    const uint64_t id = next_timer_++;
    timers_.emplace(std::pair(deadline, id), std::move(task));
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
    post([this] {
        MutexLock lock(mutex_);
        stopping_ = true;
    });
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
        node.mapped()();
    }
}

int EventLoop::timeout_ms() const {
    if (timers_.empty()) return -1;
    const Nanoseconds left = timers_.begin()->first.first - clock_.now();
    if (left <= 0) return 0;
    constexpr Nanoseconds kLongest = 3600 * kSecond;
    return static_cast<int>((std::min(left, kLongest) + kMillisecond - 1) / kMillisecond);
}

void EventLoop::run() {
    std::array<epoll_event, kEventsAtOnce> events{};
    while (true) {
        {
            MutexLock lock(mutex_);
            if (stopping_) return;
        }
        const int count = ::epoll_wait(epoll_.get(), events.data(), kEventsAtOnce, timeout_ms());
        CHECK(count >= 0 || errno == EINTR);
        for (int i = 0; i < count; ++i) {
            const epoll_event& event = events[static_cast<size_t>(i)];
            if (event.data.fd == wake_.get()) {
                run_posted();
                continue;
            }
            const auto found = watches_.find(event.data.fd);
            if (found == watches_.end()) continue;  // unwatched by an earlier callback of this round
            const std::shared_ptr<Watch> watch = found->second;  // it may unwatch itself
            watch->callback(event.events);
        }
        run_timers();
    }
}

}  // namespace carrel
