// What is better than how guests lie on CPUs now: by itself, out of numbers (placement.h decides when).
//
//   demand of a guest   what its vCPUs ran and what they waited for a lease or a host CPU, at most its cap:
//                       what it would run if there were enough
//   load of a CPU       the demand of the guests that may use it, each divided by how many it may use
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "vmm/model/cpu_quota.h"

namespace carrel::sched {

using CpuList = std::vector<uint32_t>;  // host CPUs in ascending order, not empty

struct PlacedGuest {
    CpuList allowed;
    uint32_t vcpus = 1;
    CpuShare most = 0;  // that it may have
    CpuShare demand = 0;
    CpuList cpus;        // where it is; empty: nowhere yet
    uint32_t rests = 0;  // it was moved a moment ago, and stays where it is for so many rounds
    // Of how many CPUs it can make use.
    uint32_t width() const;
    CpuShare part() const;  // of its demand, to each of its CPUs
};

struct CpuLoad {
    CpuShare load = 0;
    uint32_t guests = 0;
};

// Who there is, by name: what comes first where nothing else decides.
using PlacedGuests = std::map<std::string, PlacedGuest>;
using CpuLoads = std::map<uint32_t, CpuLoad>;

struct PlacementStep {
    std::string guest;
    CpuList to;
    CpuShare crowded = 0;  // load of the CPU that it leaves for that; 0: no CPU is crowded
};

// More load than this, and a CPU is crowded: waiting for it isn't chance any more.
inline constexpr CpuShare kCrowded = kWholeCpu * 105 / 100;
// What a move must win on the more loaded of its two CPUs: more than a second's measurement is off on a busy
// host.
inline constexpr CpuShare kGain = kWholeCpu / 4;
// Guests are packed onto a CPU that isn't fuller than this then.
inline constexpr CpuShare kComfort = kWholeCpu * 85 / 100;

CpuLoads loads_of(const PlacedGuests& guests);

// spread, for one that is new: the CPUs with the fewest guests, of these the least loaded.
CpuList spread_out(const PlacedGuest& guest, const CpuLoads& loads);
// spread: the one move that relieves a crowded CPU most.
std::optional<PlacementStep> relieve(const PlacedGuests& guests);
// spread: the one move after which guests are more evenly counted, and no CPU is crowded for it.
std::optional<PlacementStep> even_out(const PlacedGuests& guests);

// pack, for one that is new: the first CPUs on which it fits, else the least loaded.
CpuList pack_in(const PlacedGuest& guest, const CpuLoads& loads);
// pack: who fits where he is stays; the others' moves, after which CPUs are less crowded. Empty: none helps.
std::vector<PlacementStep> unpack(const PlacedGuests& guests);
// pack: the moves after which fewer CPUs are used, each comfortably. Empty: there are none.
std::vector<PlacementStep> pack_closer(const PlacedGuests& guests);

}  // namespace carrel::sched
