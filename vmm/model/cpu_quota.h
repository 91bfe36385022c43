// What a person may say about how much of the host's CPUs a guest gets: plain data, and how it is written.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "vmm/base/clock.h"
#include "vmm/base/result.h"

namespace carrel {

// Shares of host CPUs are counted in millionths of one CPU: 25% is 250,000, 150% is 1,500,000.
using CpuShare = int64_t;
inline constexpr CpuShare kWholeCpu = 1'000'000;

// All of it may change while the guest runs.
struct CpuQuota {
    static constexpr uint32_t kDefaultWeight = 100;
    static constexpr uint32_t kMostWeight = 10'000;
    static constexpr uint32_t kDefaultPriority = 100;
    static constexpr CpuShare kLeastCap = kWholeCpu / 1000;  // 0.1%
    static constexpr CpuShare kMostCap = 1024 * kWholeCpu;
    static constexpr Nanoseconds kDefaultPeriod = 10 * kMillisecond;
    static constexpr Nanoseconds kShortestPeriod = kMillisecond;
    static constexpr Nanoseconds kLongestPeriod = kSecond;

    std::optional<CpuShare> cap;           // at most so much; none: no limit
    uint32_t weight = kDefaultWeight;      // of what is contended, under weighted-fair; 1 to kMostWeight
    CpuShare reserve = 0;                  // at least so much, when it wants it
    Nanoseconds burst = 0;                 // unused budget of past periods that may be saved up, in CPU time
    Nanoseconds period = kDefaultPeriod;   // the cap holds over each
    uint32_t priority = kDefaultPriority;  // under strict priority: the smaller goes first
    std::optional<Nanoseconds> expected_burst;  // under shortest-job-first: until it has shown one

    bool operator==(const CpuQuota&) const = default;
};

// "25%", "150%", "12.5%": percent of one host CPU. The error names `key`.
Result<CpuShare> parse_cpu_share(const std::string& text, const char* key);
std::string cpu_share_text(CpuShare share);  // "25%", "12.5%"
// Whether the parts fit together, and each is within its range.
Result<void> check_cpu_quota(const CpuQuota& quota);

}  // namespace carrel
