// What a simulation measured: plain data.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "vmm/sim/scenario.h"
#include "vmm/sim/usage_curve.h"

namespace carrel::sim {

inline constexpr std::array<Nanoseconds, 3> kWindows = {100 * kMillisecond, kSecond, 10 * kSecond};

struct GuestResult {
    std::string name;
    Workload::Kind workload = Workload::Kind::kHog;
    CpuQuota quota;
    uint32_t vcpus = 0;
    Nanoseconds used = 0;                                   // by its vCPUs
    Nanoseconds used_io = 0;                                // for its I/O
    uint64_t begun = 0;                                     // bursts that arrived
    uint64_t done = 0;                                      // and ended
    Nanoseconds turnaround = 0, response = 0, waiting = 0;  // sums: of those done; begun to run; of all
    uint64_t responded = 0;
    Nanoseconds response_p99 = 0;
    Nanoseconds longest_wait = 0;  // of a vCPU that wanted to run, at a stretch
    std::array<std::optional<WindowError>, kWindows.size()> window_errors;  // with a cap, where one fits
};

// Who ran and who waited when, of the first vCPUs.
struct Chart {
    static constexpr uint32_t kMostRows = 24;
    static constexpr Nanoseconds kMostSpans = 2000;  // in a row: what is closer than can be seen is one
    struct Span {
        Nanoseconds from, to;
    };
    struct Row {
        std::string name;
        uint32_t guest;
        std::vector<Span> runs = {}, waits = {};
    };
    void add(std::vector<Span>& spans, Nanoseconds begin, Nanoseconds end) const;

    Nanoseconds from = 0, to = 0;
    std::vector<Row> rows = {};
    uint32_t left_out = 0;  // vCPUs
};

struct Outcome {
    Policy policy = Policy::kWeightedFair;
    uint32_t cpus = 0;
    uint64_t seed = 0;
    Nanoseconds end = 0;
    uint64_t leases = 0;
    std::vector<GuestResult> guests = {};
    double jain = 1;  // of what hogs got for their weight; without hogs, of what all got
    Chart chart = {};
};

// Jain's index of the shares: 1 when all are equal, 1/n when one has all.
double jains_index(const std::vector<double>& shares);

}  // namespace carrel::sim
