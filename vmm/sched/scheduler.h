// Scheduler: the policy core's decisions, carried out on the threads of real vCPUs. Its own thread (`sched`)
// takes their reports, asks the core, and hands out leases; a vCPU's thread keeps itself to its lease
// (lease_holder.h). So a scheduler that is late or starved only ever makes vCPUs wait longer: nobody runs
// past what was given to him.
#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "vmm/base/fd.h"
#include "vmm/base/mutex.h"
#include "vmm/base/thread.h"
#include "vmm/sched/bells.h"
#include "vmm/sched/lease_source.h"

namespace carrel::sched {

// How a halt is noticed. KVM halts and wakes a vCPU without us, and nobody tells. While no other waits for a
// CPU it doesn't matter. While one does, `sched` looks at those that run: at one that has halted lately each
// kSoon, so that its CPU isn't left idle for long; at others each kSeldom. A wake-up is noticed by the vCPU's
// own thread, when it has run for a while on its reserve (lease_holder.h).
//
// Threads: any.
class Scheduler final : public LeaseSource {
  public:
    static constexpr Nanoseconds kSoon = kMillisecond / 4;
    static constexpr Nanoseconds kSeldom = 2 * kMillisecond;
    static constexpr Nanoseconds kLately = kSecond;

    struct Options {
        uint32_t cpus = 1;  // of the host, for all guests together
        Policy policy = Policy::kWeightedFair;
        bool far = false;  // there may be guests in other processes (add_board)
    };
    // Starts the thread.
    static Result<std::unique_ptr<Scheduler>> create(const Options& options);
    Scheduler(const Options& options, ShareBoard board, Fd bell, std::optional<Bells> bells);  // use create()
    ~Scheduler() override;  // no vCPU is left
    Scheduler(const Scheduler&) = delete;
    Scheduler& operator=(const Scheduler&) = delete;

    GuestId add_guest(const CpuQuota& quota) EXCLUDES(mutex_);
    void remove_guest(GuestId guest) EXCLUDES(mutex_);
    void set_quota(GuestId guest, const CpuQuota& quota) EXCLUDES(mutex_);
    PolicyCore::GuestState guest(GuestId guest) EXCLUDES(mutex_);

    // Of guests in this process.
    Result<uint32_t> add_vcpu(GuestId guest, ScheduledVcpu& vcpu) override EXCLUDES(mutex_);
    void remove_vcpu(uint32_t place) override EXCLUDES(mutex_);
    Nanoseconds charge_io(GuestId guest, Nanoseconds used) override EXCLUDES(mutex_);
    const ShareBoard& board() const override { return board_; }

    // All vCPUs of a guest in another process, which has `board`, too, and rings `bell` (far_boards.cpp says
    // what of it is believed). Which vCPU sits where is the place of `vcpus`; they and the bell outlive their
    // board.
    Result<uint32_t> add_board(GuestId guest, ShareBoard board, int bell,
                               std::span<ScheduledVcpu* const> vcpus) EXCLUDES(mutex_);
    // From here on none of its vCPUs is kicked.
    void remove_board(uint32_t number) EXCLUDES(mutex_);

    void set_policy(Policy policy) EXCLUDES(mutex_);
    Policy policy() EXCLUDES(mutex_);
    std::string text() EXCLUDES(mutex_);

  private:
    enum class State : uint8_t { kHalted, kWaiting, kRunning };  // as the core has been told
    struct Seat {
        VcpuId vcpu{};
        GuestId guest{};
        ScheduledVcpu* outside = nullptr;  // null: nobody sits here
        const ShareBoard* board = nullptr;
        uint32_t place = 0;  // there
        bool far = false;    // another process's
        State state = State::kHalted;
        Nanoseconds cpu = 0;               // of its thread, as last told
        Nanoseconds told_at = 0;           // when
        Nanoseconds granted_at = 0;        // its last lease
        Nanoseconds halted_at = -kSecond;  // when it last said so
        Nanoseconds look_at = 0;           // while it runs
        Nanoseconds quiet_until = 0;       // its lease's end needn't be told before; 0: it must be
        VcpuShare& share() const { return board->share(place); }
    };
    // A guest of another process.
    struct FarBoard {
        GuestId guest;
        ShareBoard board;
        int bell;
        std::vector<Seat> seats;  // by place
        Nanoseconds io_used = 0;  // as last told
        Nanoseconds io_at = 0;    // when
    };

    void run();
    void wait(uint32_t seen, std::optional<Nanoseconds> until);
    void serve(Nanoseconds now) REQUIRES(mutex_);
    void serve_far(FarBoard& far, Nanoseconds now) REQUIRES(mutex_);
    void take(Seat& seat, Nanoseconds now) REQUIRES(mutex_);
    void withdraw(Seat& seat, Nanoseconds used, Nanoseconds now) REQUIRES(mutex_);
    static Nanoseconds used_since(Seat& seat, Nanoseconds now);
    void dispatch(Nanoseconds now) REQUIRES(mutex_);
    void grant(const Lease& lease, Nanoseconds now) REQUIRES(mutex_);
    void recall(VcpuId vcpu) REQUIRES(mutex_);
    void sit_down(Seat& seat, GuestId guest) REQUIRES(mutex_);
    void get_up(Seat& seat) REQUIRES(mutex_);
    void leave_running(Seat& seat) REQUIRES(mutex_);
    void take_reports(Nanoseconds now) REQUIRES(mutex_);
    void end_quiet(Nanoseconds now) REQUIRES(mutex_);
    std::optional<Nanoseconds> next_quiet_end() REQUIRES(mutex_);
    void look_for_halts(Nanoseconds now) REQUIRES(mutex_);
    std::optional<Nanoseconds> next_look() REQUIRES(mutex_);

    const Fd bell_;  // where there are bells: this process's own
    const ShareBoard board_;
    std::optional<Bells> bells_;  // of all boards; none: there is one
    std::atomic<bool> ending_{false};
    Mutex mutex_;
    PolicyCore core_ GUARDED_BY(mutex_);
    bool changed_ GUARDED_BY(mutex_) = false;    // a quota or the policy, since reports were taken
    std::deque<Seat> seats_ GUARDED_BY(mutex_);  // by place
    std::vector<uint32_t> free_places_ GUARDED_BY(mutex_);
    std::map<uint32_t, FarBoard> far_ GUARDED_BY(mutex_);  // by number
    uint32_t last_far_ GUARDED_BY(mutex_) = 0;
    std::vector<Seat*> running_ GUARDED_BY(mutex_);  // at most as many as CPUs
    std::vector<Seat*> seat_of_ GUARDED_BY(mutex_);  // by VcpuId
    Thread thread_;
};

}  // namespace carrel::sched
