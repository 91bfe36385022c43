// Scheduler: guests in other processes. What one of these writes on its board is its word only: a number that
// can't be is bent to one that can, so that a process which lies cheats on nobody but itself, and stalls
// nobody. It can say that it has used less than it has; a host that must not believe that has cgroups for it.
#include <algorithm>

#include "vmm/base/check.h"
#include "vmm/sched/lease_timers.h"
#include "vmm/sched/scheduler.h"

namespace carrel::sched {
namespace {

constexpr Nanoseconds kMostCpu = INT64_MAX / 4;  // a lease's end is still a number then
constexpr Nanoseconds kLeeway = kMillisecond;    // between our clock's readings and its
constexpr Nanoseconds kMostIoThreads = 64;

}  // namespace

// Since it was last told: of another process's, no more than has passed, and no less than nothing.
Nanoseconds Scheduler::used_since(Seat& seat, Nanoseconds now) {
    const Nanoseconds said = seat.share().cpu.load(std::memory_order_relaxed);
    const Nanoseconds before = seat.cpu;
    const Nanoseconds passed = now - std::exchange(seat.told_at, now);
    seat.cpu = seat.far ? std::clamp<Nanoseconds>(said, 0, kMostCpu) : said;
    const Nanoseconds used = seat.cpu - before;
    return seat.far ? std::clamp<Nanoseconds>(used, 0, passed + kLeeway) : used;
}

void Scheduler::serve_far(FarBoard& far, Nanoseconds now) {
    auto reports = far.board.take_reports();
    while (const auto place = reports.next()) take(far.seats[*place], now);
    const Nanoseconds said = far.board.io_used().load(std::memory_order_acquire);
    if (said == far.io_used) return;
    const Nanoseconds most = (now - std::exchange(far.io_at, now) + kLeeway) * kMostIoThreads;
    const Nanoseconds before = std::exchange(far.io_used, std::clamp<Nanoseconds>(said, 0, kMostCpu));
    core_.charge_io(far.guest, std::clamp<Nanoseconds>(far.io_used - before, 0, most), now);
    far.board.io_held_until().store(core_.io_allowed(far.guest, now) ? 0 : core_.period_end(far.guest, now),
                                    std::memory_order_release);
}

Result<uint32_t> Scheduler::add_board(GuestId guest, ShareBoard board, int bell,
                                      std::span<ScheduledVcpu* const> vcpus) {
    CHECK(bells_ && vcpus.size() == board.places());
    uint32_t number = 0;
    {
        MutexLock lock(mutex_);
        number = ++last_far_;
        const Nanoseconds now = monotonic_time();
        FarBoard& far =
            far_.emplace(number, FarBoard{guest, std::move(board), bell, {}, 0, now}).first->second;
        far.seats.resize(vcpus.size());
        for (uint32_t place = 0; place < vcpus.size(); ++place) {
            far.seats[place] = Seat{
                .outside = vcpus[place], .board = &far.board, .place = place, .far = true, .told_at = now};
            sit_down(far.seats[place], guest);
        }
    }
    if (auto listened = bells_->add(bell); !listened.ok()) {
        remove_board(number);
        return std::move(listened).error();
    }
    return number;
}

void Scheduler::remove_board(uint32_t number) {
    {
        MutexLock lock(mutex_);
        const auto found = far_.find(number);
        CHECK(found != far_.end());
        bells_->remove(found->second.bell);
        for (Seat& seat : found->second.seats) get_up(seat);
        far_.erase(found);
    }
    board_.ring();  // others may have its CPUs
}

}  // namespace carrel::sched
