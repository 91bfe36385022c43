#include "vmm/host/host.h"

#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <cerrno>

#include "vmm/base/crash_registry.h"
#include "vmm/base/resident_code.h"

namespace carrel {
namespace {

uint32_t usable_cpus() {
    cpu_set_t set;
    CPU_ZERO(&set);
    return ::sched_getaffinity(0, sizeof set, &set) == 0 ? static_cast<uint32_t>(CPU_COUNT(&set)) : 1;
}

}  // namespace

Result<std::unique_ptr<Host>> Host::create(Opener& opener, Spawner& spawner, Log& log, const Clock& clock) {
    crash_registry::install_sigbus_handler();
    TRY_ASSIGN(auto io, EventLoop::create(clock));
    auto host = std::make_unique<Host>(std::move(io), opener, spawner, log, clock);
    TRY(host->watch_memory());
    return host;
}

// A page of guest memory that the host can't give is that guest's failure, whichever thread touched it.
Result<void> Host::watch_memory() {
    memory_alarm_ = Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!memory_alarm_.valid()) return os_error(errno, "cannot create an eventfd");
    TRY(io_->watch(memory_alarm_.get(), EPOLLIN | EPOLLET, [this](uint32_t) {
        for (const auto& guest : guests_) guest->check_memory();
    }));
    crash_registry::set_guest_memory_alarm(memory_alarm_.get());
    return {};
}

Host::Host(std::unique_ptr<EventLoop> io, Opener& opener, Spawner& spawner, Log& log, const Clock& clock)
    : io_(std::move(io)), services_{opener, spawner, *io_, log, clock, share_, nullptr} {}

Host::~Host() {
    stop_io();
    guests_.clear();
    crash_registry::set_guest_memory_alarm(-1);
}

Result<Guest*> Host::add(const MachineConfig& config, std::function<void(const GuestReport&)> on_finished) {
    if (config.cpu_quota != CpuQuota{}) TRY(start_scheduler());
    TRY_ASSIGN(auto guest, Guest::create(config, services_, std::move(on_finished)));
    guests_.push_back(std::move(guest));
    return guests_.back().get();
}

Result<void> Host::start_scheduler() {
    if (scheduler_) return {};
    TRY_ASSIGN(scheduler_, sched::Scheduler::create({.cpus = usable_cpus()}));
    services_.scheduler = scheduler_.get();
    return {};
}

Result<void> Host::start() {
    give_back_code();
    for (const auto& guest : guests_) TRY(guest->start());
    TRY_ASSIGN(io_thread_, Thread::start("io", [this] { io_->run(); }));
    return {};
}

void Host::stop_io() {
    io_->stop();
    io_thread_.join();
}

void Host::defer_teardown() {
    std::vector<const Machine*> machines;
    for (const auto& guest : guests_) {
        if (guest->has_machine()) machines.push_back(&guest->machine());
    }
    // Without io_uring we wait ourselves. The descriptor stays open for the kernel to close.
    if (auto ring = Machine::defer_teardown(machines); ring.ok()) (void)ring->release();
}

}  // namespace carrel
