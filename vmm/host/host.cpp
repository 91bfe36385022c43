#include "vmm/host/host.h"

#include "vmm/base/crash_registry.h"

namespace carrel {

Result<std::unique_ptr<Host>> Host::create(Opener& opener, Log& log, const Clock& clock) {
    crash_registry::install_sigbus_handler();
    TRY_ASSIGN(auto io, EventLoop::create());
    return std::make_unique<Host>(std::move(io), opener, log, clock);
}

Host::Host(std::unique_ptr<EventLoop> io, Opener& opener, Log& log, const Clock& clock)
    : io_(std::move(io)), services_{opener, *io_, log, clock} {}

Host::~Host() {
    stop_io();
}

Result<Guest*> Host::add(const MachineConfig& config, std::function<void(const GuestReport&)> on_finished) {
    TRY_ASSIGN(auto guest, Guest::create(config, services_, std::move(on_finished)));
    guests_.push_back(std::move(guest));
    return guests_.back().get();
}

Result<void> Host::start() {
    for (const auto& guest : guests_) TRY(guest->start());
    TRY_ASSIGN(io_thread_, Thread::start("io", [this] { io_->run(); }));
    return {};
}

void Host::stop_io() {
    io_->stop();
    io_thread_.join();
}

}  // namespace carrel
