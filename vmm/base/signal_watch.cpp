#include "vmm/base/signal_watch.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <bit>
#include <cerrno>

#include "vmm/base/check.h"

namespace carrel {
namespace {

// A handler gets no argument of ours, so it finds them as a kick finds its vCPU: by the thread that it runs
// on. Null but on main.
thread_local SignalWatch* this_threads_watches = nullptr;

uint64_t bit(int number) {
    return uint64_t{1} << (number - 1);
}

}  // namespace

// Async-signal-safe: lock-free atomics and write(2).
void SignalWatch::on_signal(int number) {
    const int error = errno;
    for (SignalWatch* watch = this_threads_watches; watch != nullptr; watch = watch->next_) {
        if ((watch->taken_ & bit(number)) == 0) continue;
        watch->arrived_.fetch_or(bit(number), std::memory_order_relaxed);
        const uint64_t one = 1;
        [[maybe_unused]] const auto written = ::write(watch->bell_.get(), &one, sizeof one);
    }
    errno = error;
}

Result<std::unique_ptr<SignalWatch>> SignalWatch::create(EventLoop& loop, std::initializer_list<int> numbers,
                                                         Callback callback) {
    Fd bell(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!bell.valid()) return os_error(errno, "cannot create an eventfd");
    auto watch = std::make_unique<SignalWatch>(loop, std::move(bell), std::move(callback));
    TRY(watch->take(numbers));
    return watch;
}

SignalWatch::SignalWatch(EventLoop& loop, Fd bell, Callback callback)
    : loop_(loop), bell_(std::move(bell)), callback_(std::move(callback)), next_(this_threads_watches) {
    std::atomic_signal_fence(std::memory_order_release);  // a handler may see it from here on
    this_threads_watches = this;
}

// Blocked before they do again what they did by default: one that comes now is too late to end us otherwise
// than we end.
SignalWatch::~SignalWatch() {
    sigset_t ours;
    ::sigemptyset(&ours);
    for (uint64_t left = taken_; left != 0; left &= left - 1) ::sigaddset(&ours, std::countr_zero(left) + 1);
    ::pthread_sigmask(SIG_BLOCK, &ours, nullptr);
    for (uint64_t left = taken_; left != 0; left &= left - 1)
        std::signal(std::countr_zero(left) + 1, SIG_DFL);
    loop_.unwatch(bell_.get());
    SignalWatch** link = &this_threads_watches;
    while (*link != this) link = &(*link)->next_;
    *link = next_;
}

Result<void> SignalWatch::take(std::initializer_list<int> numbers) {
    TRY(loop_.watch(bell_.get(), EPOLLIN, [this](uint32_t) { tell(); }));
    struct sigaction action {};
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;
    sigset_t ours;
    ::sigemptyset(&ours);
    for (const int number : numbers) {
        struct sigaction now {};
        CHECK(::sigaction(number, nullptr, &now) == 0);
        if (now.sa_handler == SIG_IGN) continue;
        taken_ |= bit(number);
        CHECK(::sigaction(number, &action, nullptr) == 0);
        ::sigaddset(&ours, number);
    }
    ::pthread_sigmask(SIG_UNBLOCK, &ours, nullptr);
    return {};
}

void SignalWatch::tell() {
    uint64_t count = 0;
    [[maybe_unused]] const auto got = ::read(bell_.get(), &count, sizeof count);
    uint64_t arrived = arrived_.exchange(0, std::memory_order_relaxed);
    for (; arrived != 0; arrived &= arrived - 1) callback_(std::countr_zero(arrived) + 1);
}

}  // namespace carrel
