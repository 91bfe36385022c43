// What `carrel top` shows: a reading of the host's counters, and what two readings say about the time between
// them. Plain data; what isn't measured is nothing, not 0.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "vmm/base/clock.h"

namespace carrel::app {

// What a host has to give of one resource: R_total, the sum of R_i, and what is used. CPUs count as shares,
// 1.0 is one CPU; memory in bytes; disks and networks in bytes a second.
struct TopResource {
    std::optional<double> total;
    std::optional<double> promised;
    std::optional<double> used;
    std::optional<double> free() const {
        return total && promised ? std::optional(*total - *promised) : std::nullopt;
    }
};

// What doesn't come from counters.
struct TopGuest {
    std::string name;
    std::string state;
    uint32_t vcpus = 0;
    std::optional<double> cap, reserve;  // shares of one CPU
    std::optional<uint64_t> weight;
    std::optional<uint64_t> resident, quota, swapped;  // bytes
};

// Counters, since the guest was started: times of all vCPUs together.
struct TopCounters {
    std::optional<Nanoseconds> run, io, waiting_quota, waiting_cpu, steal;
    std::optional<uint64_t> disk_bytes, net_bytes;
};

// A share of one CPU that was used, and one that was waited for.
struct TopLoad {
    double run = 0, waited = 0;
};

// Which host CPUs the guests run on.
struct TopPlacement {
    struct Move {
        std::string guest, from, to;
        TopLoad before;
        std::optional<TopLoad> after;
    };
    std::string how;
    uint64_t moves = 0;
    std::optional<Move> last;
    // The host's CPU that is wanted most.
    uint64_t fullest = 0, guests = 0;
    TopLoad load;
};

struct TopReading {
    struct Guest {
        TopGuest what;
        TopCounters counters;
        Nanoseconds time = 0;  // of these, by the host's clock
    };
    Nanoseconds time = 0;
    std::string policy;
    TopResource cpu, memory, disk, net;
    std::vector<Guest> guests;
    std::optional<TopPlacement> placement;  // none: the host's kernel decides
};

struct TopSnapshot {
    // Shares of one CPU, and bytes a second.
    struct Guest {
        TopGuest what;
        std::optional<double> used, waiting_quota, waiting_cpu, steal, disk, net;
    };
    Nanoseconds interval = 0;
    std::string policy;
    TopResource cpu, memory, disk, net;
    std::vector<Guest> guests;  // those that use most first
    std::optional<TopPlacement> placement;
};

// A guest that has begun anew between the two has no rates yet.
TopSnapshot between(const TopReading& before, const TopReading& after);

}  // namespace carrel::app
