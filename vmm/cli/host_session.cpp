#include "vmm/cli/host_session.h"

#include <fmt/format.h>
#include <malloc.h>
#include <sys/epoll.h>
#include <sys/resource.h>

#include <cerrno>
#include <csignal>

#include "devices/backends/console_ring.h"
#include "vmm/base/crash_registry.h"
#include "vmm/base/host_cpus.h"
#include "vmm/cli/exit_status.h"
#include "vmm/cli/say.h"
#include "vmm/isolate/isolated_guest.h"

namespace carrel::cli {
namespace {

// A guest's descriptors: its VM, its bus and its console; a vCPU and KVM's figures of it; a device's queues,
// interrupts and what it is connected to.
uint64_t descriptors_of(const MachineConfig& guest, bool isolated) {
    constexpr uint64_t kOfIsolated = 8;  // what leads to its process, where all else is
    if (isolated) return kOfIsolated + guest.cpus;
    // The machine, its memory, its console, its source of entropy: 4 in use at least, of a guest of one vCPU.
    constexpr uint64_t kOfGuest = 12, kOfVcpu = 3, kOfDevice = 16;
    const size_t devices = guest.disks.size() + guest.nets.size() + (guest.balloon ? 1 : 0) +
                           (guest.vsock ? 1 : 0) + (guest.console == ConsoleKind::kVirtio ? 1 : 0);
    return kOfGuest + kOfVcpu * guest.cpus + kOfDevice * devices;
}

constexpr uint64_t kOfProcess = 64 + 2 * control::Server::kMostClients;

}  // namespace

HostSession::HostSession(config::FleetConfig config, std::string socket, LogLevel level, bool isolate)
    : config_(std::move(config)),
      socket_(std::move(socket)),
      level_(level),
      isolate_(isolate),
      log_(STDERR_FILENO, level) {}

HostSession::~HostSession() = default;

int HostSession::run() {
    if (const auto ready = set_up(); !ready.ok()) return refuse(ready.error());
    main_loop_->run();
    host_->stop_io();
    server_.reset();
    if (failure_) return refuse(*failure_);
    host_->defer_teardown();
    return kPoweredOff;
}

Result<void> HostSession::set_up() {
    std::signal(SIGPIPE, SIG_IGN);  // a client that has gone is the server's business,
    std::signal(SIGXFSZ, SIG_IGN);  // and a file that may not grow the console's
    crash_registry::install_crash_handlers();
    // Each guest's console history gets pages that nobody has used: most stay so. Among the heap's used ones,
    // of a fleet's JSON for instance, it took 22 KiB of 256 silent guests each, and 44 of 1,000.
    ::mallopt(M_MMAP_THRESHOLD, ConsoleRing::kSize);
    TRY(raise_limit());
    if (!config_.host.cpus.empty()) TRY(keep_to_cpus(config_.host.cpus, "host.cpus"));
    TRY_ASSIGN(main_loop_, EventLoop::create(clock_));
    TRY(take_signals());
    TRY_ASSIGN(host_, Host::create(HostResources::of(config_.host), opener_, spawner_, log_, clock_));
    TRY(host_->start_scheduler(
        {.cpus = count_usable_cpus(config_.host.cpus), .policy = config_.host.policy, .far = isolate_}));
    if (isolate_) host_->fleet().make_guests_by(isolate::factory({.level = level_}));
    if (config_.host.placement != Placement::kNone)
        placement_ = std::make_unique<GuestPlacement>(host_->fleet(), host_->io(), config_.host.placement,
                                                      usable_cpus(config_.host.cpus));
    TRY_ASSIGN(server_, control::Server::create(*main_loop_, opener_, socket_, *host_, log_));
    TRY(host_->start());
    host_->post([this] { create_next(); });
    return {};
}

Result<void> HostSession::raise_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return os_error(errno, "cannot read the limit on open files");
    limit.rlim_cur = limit.rlim_max;
    (void)::setrlimit(RLIMIT_NOFILE, &limit);
    uint64_t needed = kOfProcess;
    for (const MachineConfig& guest : config_.guests) needed += descriptors_of(guest, isolate_);
    if (needed <= limit.rlim_max) return {};
    return host_error(fmt::format("{} guests need up to {} open files, and this process may have {}",
                                  config_.guests.size(), needed, limit.rlim_max),
                      "raise the hard limit (ulimit -Hn)");
}

Result<void> HostSession::take_signals() {
    TRY_ASSIGN(signals_,
               SignalWatch::create(*main_loop_, {SIGTERM, SIGINT, SIGHUP}, [this](int) { ask_to_end(); }));
    return {};
}

// One after the other, and none runs before all are there: a fleet that doesn't fit is refused whole.
void HostSession::create_next() {
    if (created_ == config_.guests.size()) return start_all();
    host_->fleet().create(config_.guests[created_], [this](const Result<void>& made) {
        if (!made.ok()) return give_up(made.error());
        ++created_;
        host_->post([this] { create_next(); });
    });
}

void HostSession::start_all() {
    for (const MachineConfig& guest : config_.guests) {
        host_->fleet().start(guest.name, [this, name = guest.name](const Result<void>& started) {
            if (!started.ok()) log_.error("{}: {}", name, started.error().sentence());
        });
    }
    const char* const how = isolate_ ? ", each in its own process" : "";
    say(fmt::format("{} guests{}; carrel ctl asks at {}", config_.guests.size(), how, socket_));
}

void HostSession::give_up(const Error& error) {
    main_loop_->post([this, error] { failure_ = error; });
    main_loop_->stop();
}

// The first signal is a wish that the guests may follow, the second one isn't.
void HostSession::ask_to_end() {
    const Nanoseconds patience = asked_ ? 0 : Fleet::kPatience;
    asked_ = true;
    host_->post([this, patience] { host_->fleet().stop_all(patience, [this] { main_loop_->stop(); }); });
}

int HostSession::refuse(const Error& error) {
    server_.reset();
    placement_.reset();
    host_.reset();
    say(error.sentence());
    return exit_status(error);
}

}  // namespace carrel::cli
