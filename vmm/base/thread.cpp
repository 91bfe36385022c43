#include "vmm/base/thread.h"

#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <utility>

#include "vmm/base/signals.h"

namespace carrel {
namespace {

// Ours are shallow. glibc's 8 MiB would be backed by huge pages: 2 MiB resident a thread for a few hundred
// bytes used.
constexpr size_t kStackSize = size_t{256} * 1024;
constexpr size_t kMaxName = 15;  // TASK_COMM_LEN less the NUL
constexpr useconds_t kMoment = 100'000;

struct Start {
    std::string name;
    std::function<void()> body;
    std::shared_ptr<std::atomic<bool>> body_ended = std::make_shared<std::atomic<bool>>(false);
};

void* thread_main(void* argument) {
    std::unique_ptr<Start> start(static_cast<Start*>(argument));
    ::pthread_setname_np(::pthread_self(), start->name.c_str());
    start->body();
    const auto ended = start->body_ended;
    start.reset();  // what the body kept, too
    ended->store(true, std::memory_order_release);
    ended->notify_all();
    return nullptr;
}

}  // namespace

Result<Thread> Thread::start(std::string_view name, std::function<void()> body) {
    auto start = std::make_unique<Start>(Start{std::string(name.substr(0, kMaxName)), std::move(body)});
    Thread thread;
    thread.body_ended_ = start->body_ended;
    sigset_t before;
    const sigset_t blocked = signals::blocked_in_threads();
    ::pthread_sigmask(SIG_SETMASK, &blocked, &before);  // inherited by the new thread: no window
    pthread_attr_t attributes;
    ::pthread_attr_init(&attributes);
    ::pthread_attr_setstacksize(&attributes, kStackSize);
    const int error = ::pthread_create(&thread.handle_, &attributes, thread_main, start.get());
    ::pthread_attr_destroy(&attributes);
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (error != 0) {
        return os_error(error, "cannot start thread " + start->name,
                        "the limit on processes (ulimit -u), the cgroup's pids.max or memory is used up");
    }
    (void)start.release();  // thread_main owns it now
    thread.joinable_ = true;
    return thread;
}

Thread::Thread(Thread&& other) noexcept
    : handle_(other.handle_),
      joinable_(std::exchange(other.joinable_, false)),
      body_ended_(std::move(other.body_ended_)) {}

Thread& Thread::operator=(Thread&& other) noexcept {
    join();
    handle_ = other.handle_;
    joinable_ = std::exchange(other.joinable_, false);
    body_ended_ = std::move(other.body_ended_);
    return *this;
}

void Thread::leave() {
    if (joinable_) ::pthread_detach(handle_);
    joinable_ = false;
}

void Thread::join() {
    if (std::exchange(joinable_, false)) ::pthread_join(handle_, nullptr);
}

void Thread::join_body() {
    if (!joinable_) return;
    body_ended_->wait(false, std::memory_order_acquire);
    for (useconds_t pause = 50; pause < kMoment; pause *= 2) {
        if (::pthread_tryjoin_np(handle_, nullptr) == 0) {
            joinable_ = false;
            return;
        }
        ::usleep(pause);
    }
    leave();
}

}  // namespace carrel
