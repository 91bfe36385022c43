#include "vmm/isolate/isolated_guest.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <utility>

#include "vmm/base/check.h"
#include "vmm/config/machine_json.h"
#include "vmm/isolate/guest_process.h"

namespace carrel::isolate {
namespace {

constexpr Nanoseconds kKillTime = 5 * kSecond;  // for a guest to end as it was told to

// What two processes can't share.
Result<void> check_isolated(const MachineConfig& config) {
    for (const NetConfig& net : config.nets) {
        if (net.kind == NetConfig::Kind::kSwitch)
            return usage_error(
                "net: switch=" + net.name + " is within one process, and --isolate gives each guest its own",
                "use a tap, or a host without --isolate");
        if (net.kind == NetConfig::Kind::kTapFd)
            return usage_error("net: a tapfd is this process's, and --isolate gives each guest its own",
                               "name the tap: tap=NAME");
    }
    CHECK(config.cpus <= CommonMemory::kMostVcpus);
    return {};
}

// Figures are a process's word, but sums of them must be numbers, and who acts upon a thread (--placement)
// must not be led to another's.
void check_figures(GuestStats& stats, pid_t process, uint32_t vcpus) {
    constexpr Nanoseconds kMost = INT64_MAX / 16;
    if (stats.vcpus.size() > vcpus) stats.vcpus.resize(vcpus);
    for (VcpuStats& vcpu : stats.vcpus) {
        if (!vcpu.sample) continue;
        auto& [wall, run, quota, host_cpu, memory, halted, paused] = vcpu.sample->times;
        for (Nanoseconds* const part : {&wall, &run, &quota, &host_cpu, &memory, &halted, &paused})
            *part = std::clamp<Nanoseconds>(*part, 0, kMost);
        const int32_t thread = vcpu.sample->thread;
        if (thread <= 0 || ::tgkill(process, thread, 0) != 0) vcpu.sample.reset();
    }
}

}  // namespace

GuestFactory factory(const IsolatedGuest::Options& options) {
    return [options](const MachineConfig& config, const GuestServices& services, GuestListener& listener) {
        return IsolatedGuest::create(config, services, listener, options);
    };
}

Result<std::unique_ptr<FleetGuest>> IsolatedGuest::create(const MachineConfig& config,
                                                          const GuestServices& services,
                                                          GuestListener& listener, const Options& options) {
    TRY(check(config));
    TRY(check_isolated(config));
    MachineConfig complete = config;
    TRY(choose_addresses(complete));
    auto guest = std::make_unique<IsolatedGuest>(std::move(complete), services, listener, options);
    TRY(guest->open_console());
    return std::unique_ptr<FleetGuest>(std::move(guest));
}

IsolatedGuest::IsolatedGuest(MachineConfig config, const GuestServices& services, GuestListener& listener,
                             const Options& options)
    : config_(std::move(config)), services_(services), listener_(listener), options_(options) {
    if (services_.scheduler == nullptr) return;
    scheduled_as_ = services_.scheduler->add_guest(config_.cpu_quota);
    io_account_ = std::make_shared<sched::IoAccount>(*services_.scheduler, scheduled_as_);
}

IsolatedGuest::~IsolatedGuest() {
    leave_scheduler();
    if (services_.scheduler != nullptr) {
        io_account_->close();
        services_.scheduler->remove_guest(scheduled_as_);
    }
    if (output_.valid()) services_.io.unwatch(output_.get());
}

Result<void> IsolatedGuest::open_console() {
    TRY_ASSIGN(memory_, CommonMemory::create());
    transcript_ = std::make_shared<ConsoleTranscript>(CommonMemory::console(memory_));
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return os_error(errno, "cannot create a pipe");
    typed_.reset(ends[0]);
    typing_.reset(ends[1]);
    output_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    bell_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!output_.valid() || !bell_.valid()) return os_error(errno, "cannot create an eventfd");
    const EventLoop::ChargeScope charge(services_.io, io_account_);
    // Edge-triggered: each write is an event of its own, and the counter needs no reading.
    return services_.io.watch(output_.get(), EPOLLIN | EPOLLET,
                              [transcript = transcript_](uint32_t) { transcript->tell(); });
}

Result<void> IsolatedGuest::begin_process() {
    TRY_ASSIGN(auto ends, MessageSocket::pair());
    const Inherited inherited[] = {
        {STDERR_FILENO, STDERR_FILENO},         {ends.second.get(), GuestProcess::kSocket},
        {memory_->fd(), GuestProcess::kMemory}, {typed_.get(), GuestProcess::kTyped},
        {output_.get(), GuestProcess::kOutput}, {bell_.get(), GuestProcess::kBell}};
    memory_->board(config_.cpus, bell_.get()).clear();
    const std::vector<std::string> command = {options_.program, "guest",
                                              "--name",         config_.name,
                                              "--log",          to_text(options_.level),
                                              "--vcpus",        std::to_string(config_.cpus)};
    TRY_ASSIGN(Child child, services_.spawner.spawn(command, inherited));
    const EventLoop::ChargeScope charge(services_.io, io_account_);  // what it has us do is its own
    link_ = std::make_unique<GuestLink>(services_.io, *this);
    TRY(link_->begin(std::move(child), std::move(ends.first)));
    return enter_scheduler();
}

Result<void> IsolatedGuest::enter_scheduler() {
    if (services_.scheduler == nullptr) return {};
    sched_board_.emplace(memory_->board(config_.cpus, bell_.get()));
    std::vector<sched::ScheduledVcpu*> seated;
    for (uint32_t place = 0; place < config_.cpus; ++place) {
        vcpus_.push_back(std::make_unique<FarVcpu>(link_->pid(), *sched_board_, place));
        seated.push_back(vcpus_.back().get());
    }
    TRY_ASSIGN(board_, services_.scheduler->add_board(
                           scheduled_as_, memory_->board(config_.cpus, bell_.get()), bell_.get(), seated));
    return {};
}

void IsolatedGuest::leave_scheduler() {
    if (board_) services_.scheduler->remove_board(*std::exchange(board_, std::nullopt));
    vcpus_.clear();
}

void IsolatedGuest::on_seated(uint32_t place, Fd statistics) {
    auto halts = kvm::HaltStatistics::adopt(std::move(statistics));
    if (place >= vcpus_.size() || !halts.ok()) return link_->kill("its process said what makes no sense");
    vcpus_[place]->see_halts_by(std::move(*halts));
}

void IsolatedGuest::load(Done done) {
    state_ = GuestState::kLoading;
    end_.reset();
    wish_.reset();
    said_.reset();
    why_.clear();
    auto json = config::to_json(config_);
    if (auto begun = json.ok() ? begin_process() : Result<void>(json.error()); !begun.ok()) {
        leave_scheduler();
        link_.reset();
        finish(MachineEnd{EndReason::kHostFailure, begun.error().sentence()});
        return done(std::move(begun));
    }
    loaded_ = std::move(done);
    give(Order::What::kCreate, *json, [this, alive = std::weak_ptr(alive_)](Result<void> made) {
        if (alive.expired()) return;
        // One that couldn't be made is told of when its process has gone.
        if (made.ok()) return std::exchange(loaded_, nullptr)({});
        if (loaded_)
            loaded_ = [error = made.error(), told = std::move(loaded_)](const Result<void>&) { told(error); };
        if (!said_) said_ = MachineEnd{EndReason::kHostFailure, made.error().sentence()};
        if (link_) link_->expect_exit();
    });
}

void IsolatedGuest::give(Order::What what, std::string text, Done done) {
    if (!link_) return done(host_error(config_.name + " has ended"));
    Order order;
    order.what = what;
    order.text = std::move(text);
    link_->give(std::move(order), [done = std::move(done)](Result<Answer> answer) {
        done(answer.ok() ? Result<void>() : Result<void>(std::move(answer).error()));
    });
}

void IsolatedGuest::start(Done done) {
    give(Order::What::kStart, {}, std::move(done));
}

void IsolatedGuest::pause(Done done) {
    give(Order::What::kPause, {}, std::move(done));
}

void IsolatedGuest::resume(bool clocks_ran, Done done) {
    give(clocks_ran ? Order::What::kResumeRealtime : Order::What::kResume, {}, std::move(done));
}

// It counts the patience itself; one that doesn't is killed a little later.
void IsolatedGuest::stop(Nanoseconds patience) {
    Order order;
    order.what = Order::What::kStop;
    order.patience = patience;
    if (!link_) return;
    link_->give(std::move(order), [this, alive = std::weak_ptr(alive_)](const Result<Answer>& answer) {
        if (!answer.ok() && !alive.expired() && link_) link_->spare();  // it makes no sense any more
    });
    link_->kill_after(patience + kKillTime, "it was to stop, and its process didn't end it");
}

void IsolatedGuest::end(MachineEnd end) {
    if (!link_) return;
    const bool runs = state_ != GuestState::kLoading && state_ != GuestState::kCreated;
    if (!wish_) wish_ = end;
    if (!runs) return link_->kill(end.detail);
    give(Order::What::kEnd, end.detail, [](const Result<void>&) {});
    link_->kill_after(kKillTime, end.detail);
}

void IsolatedGuest::change(const MachineConfig& config) {
    const MachineConfig before = std::exchange(config_, config);
    if (services_.scheduler != nullptr && !(config_.cpu_quota == before.cpu_quota))
        services_.scheduler->set_quota(scheduled_as_, config_.cpu_quota);
    if (const auto json = config::to_json(config_); link_ && json.ok())
        give(Order::What::kSet, *json, [](const Result<void>&) {});
    tell(GuestEvent::Kind::kChanged, {});
}

void IsolatedGuest::dismantle(std::function<void()> done) {
    if (!link_) return done();
    leave_scheduler();
    link_->part(std::move(done));
    link_.reset();
}

void IsolatedGuest::stats(std::function<void(Result<GuestStats>)> done) {
    std::optional<Nanoseconds> io;
    if (services_.scheduler != nullptr) io = services_.scheduler->guest(scheduled_as_).used_io;
    if (!link_) {
        past_.time = services_.clock.wall();
        past_.io = io;
        return done(past_);
    }
    Order order;
    order.what = Order::What::kStats;
    link_->give(std::move(order),
                [this, alive = std::weak_ptr(alive_), io, done = std::move(done)](Result<Answer> answer) {
                    if (!answer.ok()) return done(std::move(answer).error());
                    if (!answer->stats) return done(host_error("the guest's process gave no figures"));
                    answer->stats->io = io;
                    if (alive.expired() || !link_) return done(host_error("the guest has gone"));
        check_figures(*answer->stats, link_->pid(), config_.cpus);
                    done(std::move(*answer->stats));
                });
}

Result<ConsoleEnds> IsolatedGuest::console_ends() {
    Fd typing(::fcntl(typing_.get(), F_DUPFD_CLOEXEC, 3));
    if (!typing.valid()) return os_error(errno, "cannot pass on a pipe");
    return ConsoleEnds{transcript_, std::move(typing)};
}

// It has ended when its process has gone, not when it says so.
void IsolatedGuest::on_news(News news) {
    switch (news.kind) {
        case GuestEvent::Kind::kChanged:  // told when it was decided
        case GuestEvent::Kind::kDeleted:
        case GuestEvent::Kind::kMoved: return;
        case GuestEvent::Kind::kEnded:
            said_ = news.end.value_or(MachineEnd{});
            if (news.stats) past_ = std::move(*news.stats);
            past_.vcpus.clear();  // they have gone
            return link_->expect_exit();
        default: break;
    }
    if (news.state == GuestState::kAbsent || news.state == GuestState::kEnded)
        return link_->kill("its process said what makes no sense");
    state_ = news.state;
    why_ = std::move(news.why);
    tell(news.kind, news.detail);
}

void IsolatedGuest::on_gone(const std::string& how) {
    services_.io.post([link = std::shared_ptr<GuestLink>(std::move(link_))] {});  // which calls this
    MachineEnd end = said_ ? *said_ : wish_.value_or(MachineEnd{EndReason::kHostFailure, how});
    if (end.reason == EndReason::kHostFailure && !said_) services_.log.error("{}: {}", config_.name, how);
    finish(std::move(end));
    if (!loaded_) return;
    const Error error = host_error(config_.name + " couldn't be loaded: " + how);
    services_.io.post([told = std::exchange(loaded_, nullptr), error] { told(error); });
}

void IsolatedGuest::finish(MachineEnd end) {
    state_ = GuestState::kEnded;
    why_ = std::string(end_words(end.reason)) + (end.detail.empty() ? "" : ": " + end.detail);
    end_ = std::move(end);
    tell(GuestEvent::Kind::kEnded, why_);
}

}  // namespace carrel::isolate
