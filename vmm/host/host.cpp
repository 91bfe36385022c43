#include "vmm/host/host.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <cerrno>

#include "vmm/base/crash_registry.h"
#include "vmm/base/resident_code.h"

namespace carrel {
namespace {

constexpr Nanoseconds kBegun = 100 * kMillisecond;

}  // namespace

Result<std::unique_ptr<Host>> Host::create(const HostResources& resources, Opener& opener, Spawner& spawner,
                                           Log& log, const Clock& clock) {
    crash_registry::install_sigbus_handler();
    TRY_ASSIGN(auto io, EventLoop::create(clock));
    auto host = std::make_unique<Host>(resources, std::move(io), opener, spawner, log, clock);
    TRY(host->watch_memory());
    return host;
}

// A page of guest memory that the host can't give is that guest's failure, whichever thread touched it.
Result<void> Host::watch_memory() {
    memory_alarm_ = Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!memory_alarm_.valid()) return os_error(errno, "cannot create an eventfd");
    TRY(io_->watch(memory_alarm_.get(), EPOLLIN | EPOLLET, [this](uint32_t) { fleet_.check_memory(); }));
    crash_registry::set_guest_memory_alarm(memory_alarm_.get());
    return {};
}

Host::Host(const HostResources& resources, std::unique_ptr<EventLoop> io, Opener& opener, Spawner& spawner,
           Log& log, const Clock& clock)
    : io_(std::move(io)),
      worker_(*io_),
      fleet_(GuestServices{opener, spawner, *io_, log, clock, share_, worker_}, resources) {}

// What the worker is at is finished first: it may be a guest's machine.
Host::~Host() {
    stop_io();
    worker_.end();
    crash_registry::set_guest_memory_alarm(-1);
}

Result<void> Host::start_scheduler(const sched::Scheduler::Options& options) {
    TRY_ASSIGN(scheduler_, sched::Scheduler::create(options));
    fleet_.schedule(*scheduler_);
    return {};
}

Result<void> Host::start() {
    // Not before its guests have begun: what their first steps need once isn't needed for hours, either.
    io_->after(kBegun, [] { give_back_code(); });
    TRY_ASSIGN(io_thread_, Thread::start("io", [this] { io_->run(); }));
    return {};
}

void Host::stop_io() {
    io_->stop();
    io_thread_.join();
}

void Host::defer_teardown() {
    // Without io_uring we wait ourselves. The descriptor stays open for the kernel to close.
    if (auto ring = Machine::defer_teardown(fleet_.machines()); ring.ok()) (void)ring->release();
}

}  // namespace carrel
