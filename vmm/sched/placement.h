// Placer: which of the host's CPUs each guest may use, and when one is to go elsewhere. A pure decision: it
// is told who there is and, each second, what was measured; it knows no clock, no thread, no system call.
// vmm/host/guest_placement.h carries it out.
//
//              spread                                      pack
//   new        where the fewest guests are                 where it fits beside others
//   crowded    the one move that helps most, after         all moves that are needed, after kCrowdedRounds
//              kCrowdedRounds of it
//   calm       guests are counted evenly, after            onto fewer CPUs, after a patience that doubles
//              kCalmRounds                                 each time that this was taken back soon
//
// So nobody bounces: what helps is done only when it would have helped in several seconds on end, and who was
// moved stays for kRestRounds. The more CPUs a guest has vCPUs for, the more it may use; what else runs on
// the host isn't counted, since the kernel moves that out of the way.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "vmm/model/host_config.h"
#include "vmm/sched/placement_plan.h"

namespace carrel::sched {

// Of a guest over about a second, in shares of one CPU.
struct MeasuredLoad {
    CpuShare run = 0;
    CpuShare waited = 0;  // its vCPUs, for a host CPU
    CpuShare parked = 0;  // and for a lease: others had it, or the cap is reached, which bounds the demand
    bool operator==(const MeasuredLoad&) const = default;
};

class Placer {
  public:
    static constexpr uint32_t kCrowdedRounds = 2;
    static constexpr uint32_t kCalmRounds = 5;
    static constexpr uint32_t kLongestPatience = 320;  // rounds
    static constexpr uint32_t kSoon = 60;              // packing that was taken back within so many was wrong
    static constexpr uint32_t kRestRounds = 5;

    struct Guest {
        uint32_t vcpus = 1;
        std::optional<CpuShare> cap;
        CpuList allowed;  // empty: all
    };
    struct Move {
        std::string guest;
        CpuList from, to;
        CpuShare crowded = 0;  // load of the CPU that it left for that; 0: no CPU was crowded
    };

    // `how` isn't kNone. `cpus`: of the host.
    Placer(Placement how, CpuList cpus) : how_(how), cpus_(std::move(cpus)) {}

    // Until something is measured it is taken to want all that it may have. One that may use none of the
    // host's CPUs isn't placed: its cpus_of() is empty.
    void add(const std::string& name, const Guest& guest);
    void set_cap(const std::string& name, std::optional<CpuShare> cap);
    void remove(const std::string& name);
    CpuList cpus_of(const std::string& name) const;

    // About a second has passed. Who isn't named has what he had. What is returned is decided.
    std::vector<Move> review(const std::map<std::string, MeasuredLoad>& measured);

    Placement how() const { return how_; }
    const CpuList& cpus() const { return cpus_; }
    CpuLoads loads() const { return loads_of(guests_); }

  private:
    std::vector<PlacementStep> spread();
    std::vector<PlacementStep> pack();
    std::vector<Move> carry_out(const std::vector<PlacementStep>& steps);
    void count_rounds();

    const Placement how_;
    const CpuList cpus_;
    PlacedGuests guests_;
    uint32_t crowded_ = 0, calm_ = 0;  // rounds on end
    uint32_t patience_ = kCalmRounds;
    bool packed_ = false;        // they lie as they were packed
    uint32_t since_packed_ = 0;  // rounds
};

}  // namespace carrel::sched
