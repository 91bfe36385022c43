// GuestPlacement: carries out what vmm/sched/placement.h decides. Each second it asks what the guests' vCPUs
// ran and waited, and keeps the threads of those that are moved to other host CPUs. Nothing of it is there
// without --placement: then the host's kernel decides, and affinity is never set.
//
// A thread is known by its id, so it may be another process's (--isolate). It is kept to its CPUs once, and
// again only when they change: whoever moves it from outside, to a cgroup with fewer CPUs for instance, has
// his way, and one that may use none of its CPUs any more stays where it is.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "vmm/base/event_loop.h"
#include "vmm/host/fleet.h"
#include "vmm/sched/placement.h"

namespace carrel {

// On the io thread, or while that doesn't run.
class GuestPlacement final : public EventListener {
  public:
    static constexpr Nanoseconds kRound = kSecond;
    static constexpr Nanoseconds kAnswers = 100 * kMillisecond;  // until all have told what they ran
    static constexpr Nanoseconds kBegun = 10 * kMillisecond;     // until a guest's vCPUs have threads

    struct Move {
        sched::CpuList from, to;
        sched::MeasuredLoad before;                // in the second that decided it
        std::optional<sched::MeasuredLoad> after;  // in the next one
    };
    struct Guest {
        uint64_t moves = 0;
        std::optional<Move> last;
        sched::MeasuredLoad load;
    };
    struct Cpu {
        uint32_t guests = 0;
        sched::MeasuredLoad load;  // of these
    };

    // Both outlive it. `cpus`: that the host may use.
    GuestPlacement(Fleet& fleet, EventLoop& io, Placement how, sched::CpuList cpus);
    ~GuestPlacement() override;
    GuestPlacement(const GuestPlacement&) = delete;
    GuestPlacement& operator=(const GuestPlacement&) = delete;

    Placement how() const { return placer_.how(); }
    sched::CpuList cpus_of(const std::string& guest) const { return placer_.cpus_of(guest); }
    // Null: that guest isn't placed, since it doesn't run.
    const Guest* guest(const std::string& name) const;
    std::map<uint32_t, Cpu> cpus() const;  // all of the host's
    uint64_t moves() const { return moves_; }
    const std::string& last_moved() const { return last_moved_; }  // empty: nobody yet

    void on_event(const GuestEvent& event) override;

  private:
    struct Placed : Guest {
        std::map<int32_t, sched::VcpuTimes> threads;  // as last seen
        std::map<int32_t, sched::CpuList> kept;       // what they are kept to
        std::optional<sched::MeasuredLoad> fresh;     // since the last review
    };

    void begin(const std::string& name);
    void change(const std::string& name);
    void ask(const std::string& name);
    void take(const std::string& name, const GuestStats& stats);
    void keep(const std::string& name, Placed& guest);
    void round();
    void review();
    void moved(const sched::Placer::Move& move);

    Fleet& fleet_;
    EventLoop& io_;
    sched::Placer placer_;
    std::map<std::string, Placed> guests_;
    uint64_t moves_ = 0;
    std::string last_moved_;
    const std::shared_ptr<char> alive_ = std::make_shared<char>();
};

}  // namespace carrel
