#include "vmm/isolate/guest_process.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <limits>

#include "vmm/base/crash_registry.h"
#include "vmm/config/machine_json.h"

namespace carrel::isolate {
namespace {

constexpr Nanoseconds kSoon = 10 * kMillisecond;

// Its host has admitted the guest.
HostResources no_limit() {
    constexpr auto kMost = std::numeric_limits<int64_t>::max();
    return {kMost, static_cast<uint64_t>(kMost), 0, 0};
}

// One that isn't there, or isn't a socket: somebody has typed the command.
Result<Fd> inherited(int number) {
    if (::fcntl(number, F_SETFD, FD_CLOEXEC) != 0)
        return usage_error("carrel guest is what carrel host --isolate begins by itself", "use carrel run");
    return Fd(number);
}

}  // namespace

GuestProcess::GuestProcess(LogLevel level, uint32_t vcpus) : log_(STDERR_FILENO, level), vcpus_(vcpus) {}

GuestProcess::~GuestProcess() {
    if (line_.transcript) line_.transcript->unwatch(*this);
}

Result<void> GuestProcess::run() {
    TRY(set_up());
    main_loop_->run();
    socket_.reset();
    host_.reset();
    return {};
}

Result<void> GuestProcess::set_up() {
    TRY_ASSIGN(Fd socket, inherited(kSocket));
    TRY_ASSIGN(Fd memory, inherited(kMemory));
    TRY_ASSIGN(typed_, inherited(kTyped));
    TRY_ASSIGN(output_, inherited(kOutput));
    TRY_ASSIGN(bell_, inherited(kBell));
    std::signal(SIGPIPE, SIG_IGN);
    std::signal(SIGXFSZ, SIG_IGN);
    crash_registry::install_crash_handlers();
    TRY_ASSIGN(memory_, CommonMemory::adopt(std::move(memory)));
    line_ = {std::make_shared<ConsoleTranscript>(CommonMemory::console(memory_)), typed_.get()};
    line_.transcript->watch(*this);
    TRY_ASSIGN(main_loop_, EventLoop::create(clock_));
    TRY_ASSIGN(host_, Host::create(no_limit(), opener_, spawner_, log_, clock_));
    leases_.emplace(memory_->board(vcpus_, bell_.get()),
                    [this](uint32_t place, const sched::ScheduledVcpu& vcpu) { on_seat(place, vcpu); });
    host_->fleet().lease_from(*leases_);
    host_->fleet().lead_consoles_to(line_);
    host_->fleet().listen(*this);
    TRY_ASSIGN(socket_,
               MessageSocket::create(
                   *main_loop_, std::move(socket),
                   {.on_message = [this](std::span<const std::byte> bytes, const Fd&) { on_message(bytes); },
                    // Nobody is there any more, and the guest isn't to outlive its host.
                    .on_trouble = [](MessageSocket::Trouble) { ::_exit(EXIT_FAILURE); }}));
    return host_->start();
}

void GuestProcess::on_message(std::span<const std::byte> bytes) {
    auto order = order_of(bytes);
    if (!order) return log_.error("the host said what makes no sense");
    host_->post([this, order = std::move(*order)] { carry_out(order); });
}

void GuestProcess::carry_out(Order order) {
    Fleet& fleet = host_->fleet();
    Fleet::Done done = answering(order.id);
    switch (order.what) {
        case Order::What::kCreate: return create(order);
        case Order::What::kStart: return fleet.start(name_, std::move(done));
        case Order::What::kPause: return fleet.pause(name_, std::move(done));
        case Order::What::kResume: return fleet.resume(name_, false, std::move(done));
        case Order::What::kResumeRealtime: return fleet.resume(name_, true, std::move(done));
        case Order::What::kStop: return done(fleet.stop(name_, order.patience));
        case Order::What::kEnd: return done(fleet.kill(name_, order.text));
        case Order::What::kSet: return change(order);
        case Order::What::kStats: return stats(order);
    }
}

void GuestProcess::create(const Order& order) {
    const auto config = config::machine_from_json(order.text, "");
    if (!config.ok()) {
        say(Answer{order.id, config.error(), {}});
        return quit();
    }
    name_ = config->name;
    host_->fleet().create(*config, [this, done = answering(order.id)](const Result<void>& made) {
        done(made);
        if (!made.ok()) quit();
    });
}

void GuestProcess::change(const Order& order) {
    const auto changed = host_->fleet().change(
        name_, [&order](const MachineConfig&, bool) { return config::machine_from_json(order.text, ""); });
    answering(order.id)(changed);
}

void GuestProcess::stats(const Order& order) {
    host_->fleet().stats(name_, [this, id = order.id](Result<GuestStats> stats) {
        Answer answer{id, {}, {}};
        if (stats.ok())
            answer.stats = std::move(*stats);
        else
            answer.refused = stats.error();
        say(std::move(answer));
    });
}

Fleet::Done GuestProcess::answering(uint32_t order) {
    return [this, order](const Result<void>& result) {
        say(Answer{order, result.ok() ? std::nullopt : std::optional(result.error()), {}});
    };
}

void GuestProcess::on_event(const GuestEvent& event) {
    News news{event.kind, event.state, event.detail, {}, {}, {}};
    if (const auto info = host_->fleet().show(event.guest); info.ok()) {
        news.why = info->why;
        news.end = info->end;
    }
    if (event.kind != GuestEvent::Kind::kEnded) return say(std::move(news));
    host_->post([this, news = std::move(news)] { tell_end(news); });
}

// With its last figures. A run is a process, so that was it.
void GuestProcess::tell_end(News news) {
    host_->fleet().stats(name_, [this, news = std::move(news)](Result<GuestStats> stats) mutable {
        if (stats.ok()) news.stats = std::move(*stats);
        say(std::move(news));
        quit();
    });
}

void GuestProcess::on_output() {
    const uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(output_.get(), &one, sizeof one);
}

// The host's scheduler looks for halts by them.
void GuestProcess::on_seat(uint32_t place, const sched::ScheduledVcpu& vcpu) {
    if (vcpu.halt_statistics() < 0) return;
    const auto fd = std::make_shared<Fd>(::fcntl(vcpu.halt_statistics(), F_DUPFD_CLOEXEC, 3));
    if (fd->valid()) say(Seated{place}, fd);
}

void GuestProcess::say(Word word, const std::shared_ptr<Fd>& with) {
    main_loop_->post([this, bytes = to_bytes(std::move(word)), with] {
        socket_->send(bytes, with ? std::move(*with) : Fd());
    });
}

// When all has been said.
void GuestProcess::quit() {
    main_loop_->post([this] {
        if (socket_->idle()) return main_loop_->stop();
        main_loop_->after(kSoon, [this] { quit(); });
    });
}

}  // namespace carrel::isolate
