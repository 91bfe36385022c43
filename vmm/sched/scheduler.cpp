#include "vmm/sched/scheduler.h"

#include <sched.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "vmm/base/check.h"
#include "vmm/sched/lease_timers.h"

namespace carrel::sched {
namespace {

// Where we may, `sched` comes before the vCPUs, and always as exactly as the kernel's timers are (a thread's
// usual slack is 50 us).
void come_first() {
    ::prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
    sched_param first{};
    first.sched_priority = 1;
    (void)::sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &first);
}

std::optional<Nanoseconds> earlier(std::optional<Nanoseconds> a, std::optional<Nanoseconds> b) {
    if (!a || !b) return a ? a : b;
    return std::min(*a, *b);
}

}  // namespace

Result<std::unique_ptr<Scheduler>> Scheduler::create(const Options& options) {
    Fd bell;
    std::optional<Bells> bells;
    if (options.far) {
        bell.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
        if (!bell.valid()) return os_error(errno, "cannot create an eventfd");
        TRY_ASSIGN(Bells made, Bells::create());
        TRY(made.add(bell.get()));
        bells.emplace(std::move(made));
    }
    TRY_ASSIGN(ShareBoard board, ShareBoard::create(bell.get()));
    auto scheduler =
        std::make_unique<Scheduler>(options, std::move(board), std::move(bell), std::move(bells));
    TRY_ASSIGN(scheduler->thread_, Thread::start("sched", [&self = *scheduler] { self.run(); }));
    return scheduler;
}

Scheduler::Scheduler(const Options& options, ShareBoard board, Fd bell, std::optional<Bells> bells)
    : bell_(std::move(bell)),
      board_(std::move(board)),
      bells_(std::move(bells)),
      core_(PolicyCore::Options{.cpus = options.cpus, .policy = options.policy, .in_step = false}) {}

Scheduler::~Scheduler() {
    ending_.store(true, std::memory_order_release);
    board_.ring();
    thread_.join();
}

void Scheduler::run() {
    come_first();
    while (!ending_.load(std::memory_order_acquire)) {
        const uint32_t seen =
            board_.doorbell();  // before the reports are taken: one that comes later changes it
        std::optional<Nanoseconds> next;
        {
            MutexLock lock(mutex_);
            const Nanoseconds now = monotonic_time();
            serve(now);
            look_for_halts(now);
            next = earlier(core_.next_event(), earlier(next_look(), next_quiet_end()));
        }
        wait(seen, next);
    }
}

void Scheduler::wait(uint32_t seen, std::optional<Nanoseconds> until) {
    bells_ ? bells_->wait(until) : board_.wait(seen, until);
}

void Scheduler::serve(Nanoseconds now) {
    do {
        end_quiet(now);
        take_reports(now);
        dispatch(now);
    } while (core_.contended() && next_quiet_end());
}

void Scheduler::take_reports(Nanoseconds now) {
    auto reports = board_.take_reports();
    while (const auto place = reports.next())
        if (*place < seats_.size() && seats_[*place].outside != nullptr) take(seats_[*place], now);
    for (auto& [number, far] : far_) serve_far(far, now);
}

// Of those whose lease's end matters again. The flag goes before the list is taken (lease_holder.cpp).
void Scheduler::end_quiet(Nanoseconds now) {
    const bool all = std::exchange(changed_, false) || core_.contended();
    for (Seat* const seat : running_) {
        if (seat->quiet_until == 0 || (!all && now < seat->quiet_until)) continue;
        seat->quiet_until = 0;
        seat->share().quiet.store(0, std::memory_order_seq_cst);
    }
}

std::optional<Nanoseconds> Scheduler::next_quiet_end() {
    std::optional<Nanoseconds> next;
    for (const Seat* const seat : running_)
        if (seat->quiet_until != 0) next = earlier(next, seat->quiet_until);
    return next;
}

// One that wants to run under a grant that isn't the last is out of date. One that doesn't want to any more
// (it halted, or is to stand still) means it whatever it has been granted meanwhile.
void Scheduler::take(Seat& seat, Nanoseconds now) {
    VcpuShare& share = seat.share();
    const uint64_t report = share.report.load(std::memory_order_acquire);
    const bool waits = VcpuShare::report_of(report) == VcpuReport::kWaiting;
    if (VcpuShare::grant_of(report) != share.grant.load(std::memory_order_relaxed)) {
        if (waits) return;
        share.lease_end.store(VcpuShare::kNoLease, std::memory_order_release);
    }
    const Nanoseconds used = used_since(seat, now);
    // Not when we hear of it: between the two, its period may have ended. By our own stamp of the grant: the
    // share's may be another process's to change.
    const Nanoseconds at =
        std::clamp(share.reported_at.load(std::memory_order_relaxed), std::min(seat.granted_at, now), now);
    switch (seat.state) {
        case State::kRunning:
            waits ? core_.expire(seat.vcpu, used, at) : core_.block(seat.vcpu, used, at);
            break;
        case State::kHalted:
            waits ? core_.wake(seat.vcpu, used, at) : core_.charge(seat.vcpu, used, at);
            break;
        case State::kWaiting: waits ? core_.charge(seat.vcpu, used, at) : withdraw(seat, used, at); break;
    }
    if (seat.state == State::kRunning) leave_running(seat);
    seat.state = waits ? State::kWaiting : State::kHalted;
    if (!waits) seat.halted_at = now;
}

// It doesn't wait any more, which is for the core as if it had gone and come. If it has asked anew meanwhile,
// it did so under the grant before: it has to look, and to ask again.
void Scheduler::withdraw(Seat& seat, Nanoseconds used, Nanoseconds now) {
    core_.charge(seat.vcpu, used, now);
    core_.remove_vcpu(seat.vcpu, now);
    sit_down(seat, seat.guest);
    seat.board->nudge(seat.place);
}

void Scheduler::leave_running(Seat& seat) {
    const auto found = std::find(running_.begin(), running_.end(), &seat);
    CHECK(found != running_.end());
    *found = running_.back();
    running_.pop_back();
}

void Scheduler::look_for_halts(Nanoseconds now) {
    if (!core_.contended()) return;
    for (Seat* const seat : running_) {
        if (seat->look_at > now) continue;
        seat->look_at = now + (now - seat->halted_at < kLately ? kSoon : kSeldom);
        if (seat->outside->seems_halted()) seat->outside->kick();
    }
}

std::optional<Nanoseconds> Scheduler::next_look() {
    if (!core_.contended()) return std::nullopt;
    std::optional<Nanoseconds> next;
    for (const Seat* const seat : running_) next = earlier(next, seat->look_at);
    return next;
}

void Scheduler::dispatch(Nanoseconds now) {
    while (const auto vcpu = core_.next_recall(now)) recall(*vcpu);
    while (const auto lease = core_.next_grant(now)) grant(*lease, now);
}

void Scheduler::grant(const Lease& lease, Nanoseconds now) {
    Seat& seat = *seat_of_[static_cast<uint32_t>(lease.vcpu)];
    VcpuShare& share = seat.share();
    seat.state = State::kRunning;
    seat.look_at = now + (now - seat.halted_at < kLately ? kSoon : kSeldom);
    running_.push_back(&seat);
    seat.granted_at = now;
    // What this thread has taken since `now` was no time in which the vCPU could have run.
    share.granted_at.store(monotonic_time(), std::memory_order_relaxed);
    share.grant.fetch_add(1, std::memory_order_release);
    seat.quiet_until = core_.quiet_until(lease.vcpu).value_or(0);
    share.quiet.store(seat.quiet_until != 0 ? 1 : 0, std::memory_order_relaxed);
    share.lease_end.store(lease.length == Lease::kUnlimited ? VcpuShare::kUnlimited : seat.cpu + lease.length,
                          std::memory_order_release);
    seat.board->nudge(seat.place);
}

void Scheduler::recall(VcpuId vcpu) {
    const Seat& seat = *seat_of_[static_cast<uint32_t>(vcpu)];
    seat.share().lease_end.store(VcpuShare::kNoLease, std::memory_order_release);
    seat.outside->kick();
}

GuestId Scheduler::add_guest(const CpuQuota& quota) {
    MutexLock lock(mutex_);
    return core_.add_guest(quota, monotonic_time());
}

void Scheduler::remove_guest(GuestId guest) {
    MutexLock lock(mutex_);
    core_.remove_guest(guest, monotonic_time());
}

void Scheduler::set_quota(GuestId guest, const CpuQuota& quota) {
    {
        MutexLock lock(mutex_);
        core_.set_quota(guest, quota, monotonic_time());
        changed_ = true;
    }
    board_.ring();
}

PolicyCore::GuestState Scheduler::guest(GuestId guest) {
    MutexLock lock(mutex_);
    return core_.guest(guest, monotonic_time());
}

Nanoseconds Scheduler::charge_io(GuestId guest, Nanoseconds used) {
    const Nanoseconds now = monotonic_time();
    MutexLock lock(mutex_);
    core_.charge_io(guest, used, now);
    return core_.io_allowed(guest, now) ? 0 : core_.period_end(guest, now);
}

Result<uint32_t> Scheduler::add_vcpu(GuestId guest, ScheduledVcpu& outside) {
    MutexLock lock(mutex_);
    uint32_t place = 0;
    if (!free_places_.empty()) {
        place = free_places_.back();
        free_places_.pop_back();
    } else if (seats_.size() < ShareBoard::kPlaces) {
        place = static_cast<uint32_t>(seats_.size());
        seats_.emplace_back();
    } else {
        return host_error("the scheduler has no place for another vCPU: " +
                              std::to_string(ShareBoard::kPlaces) + " are taken",
                          "start the guest in another process");
    }
    seats_[place] = Seat{.outside = &outside, .board = &board_, .place = place};
    VcpuShare& share = board_.share(place);
    share.cpu.store(0, std::memory_order_relaxed);
    share.quota_waits.store(0, std::memory_order_relaxed);
    sit_down(seats_[place], guest);
    return place;
}

// A seat's grants go on counting: a late report of who sat here is out of date.
void Scheduler::sit_down(Seat& seat, GuestId guest) {
    seat.guest = guest;
    seat.vcpu = core_.add_vcpu(guest, monotonic_time());
    seat.share().lease_end.store(VcpuShare::kNoLease, std::memory_order_relaxed);
    seat.share().quiet.store(0, std::memory_order_relaxed);
    seat.share().grant.fetch_add(1, std::memory_order_release);
    const auto number = static_cast<uint32_t>(seat.vcpu);
    if (seat_of_.size() <= number) seat_of_.resize(number + 1);
    seat_of_[number] = &seat;
}

void Scheduler::get_up(Seat& seat) {
    if (seat.state == State::kRunning) leave_running(seat);
    core_.remove_vcpu(seat.vcpu, monotonic_time());
    seat.outside = nullptr;
}

void Scheduler::remove_vcpu(uint32_t place) {
    {
        MutexLock lock(mutex_);
        CHECK(place < seats_.size() && seats_[place].outside != nullptr);
        get_up(seats_[place]);
        free_places_.push_back(place);
    }
    board_.ring();  // others may have its CPU
}

void Scheduler::set_policy(Policy policy) {
    {
        MutexLock lock(mutex_);
        core_.set_policy(policy, monotonic_time());
        changed_ = true;
    }
    board_.ring();
}

Policy Scheduler::policy() {
    MutexLock lock(mutex_);
    return core_.policy();
}

std::string Scheduler::text() {
    MutexLock lock(mutex_);
    return core_.text(monotonic_time());
}

}  // namespace carrel::sched
