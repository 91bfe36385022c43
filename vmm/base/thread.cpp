#include "vmm/base/thread.h"

#include <sys/resource.h>

#include <csignal>
#include <utility>

#include "vmm/base/signals.h"

namespace carrel {
namespace {

// Ours are shallow. glibc's 8 MiB would be backed by huge pages: 2 MiB resident a thread for a few hundred
// bytes used.
constexpr size_t kStackSize = size_t{256} * 1024;
constexpr size_t kMaxName = 15;  // TASK_COMM_LEN less the NUL

struct Start {
    std::string name;
    std::function<void()> body;
};

void* thread_main(void* argument) {
    const std::unique_ptr<Start> start(static_cast<Start*>(argument));
    ::pthread_setname_np(::pthread_self(), start->name.c_str());
    start->body();
    return nullptr;
}

}  // namespace

Result<Thread> Thread::start(std::string_view name, std::function<void()> body) {
    auto start = std::make_unique<Start>(Start{std::string(name.substr(0, kMaxName)), std::move(body)});
    Thread thread;
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
    : handle_(other.handle_), joinable_(std::exchange(other.joinable_, false)) {}

Thread& Thread::operator=(Thread&& other) noexcept {
    join();
    handle_ = other.handle_;
    joinable_ = std::exchange(other.joinable_, false);
    return *this;
}

void Thread::leave() {
    if (joinable_) ::pthread_detach(handle_);
    joinable_ = false;
}

void Thread::join() {
    if (std::exchange(joinable_, false)) ::pthread_join(handle_, nullptr);
}

}  // namespace carrel
