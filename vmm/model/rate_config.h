// What a person may say about how much a device does in a second: plain data, and how it is written.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "vmm/base/clock.h"
#include "vmm/base/result.h"

namespace carrel {

// May change while the device works.
struct RateConfig {
    // As little as keeps a second to within 2 %, and as much as a wait on a busy host may be late.
    static constexpr Nanoseconds kBurst = 10 * kMillisecond;
    // Waits are whole milliseconds: what came for less than a few would be lost.
    static constexpr Nanoseconds kShortestBurst = 5 * kMillisecond;
    static constexpr Nanoseconds kLongestBurst = 60 * kSecond;
    static constexpr uint64_t kMost = uint64_t{1} << 60;  // keeps the sums of a bucket in 64 bits

    uint64_t bytes = 0;                // in a second; 0: no limit
    uint64_t operations = 0;           // the same
    std::optional<Nanoseconds> burst;  // as much as comes in this time may be saved up and used at once

    bool limits() const { return bytes != 0 || operations != 0; }
    Nanoseconds burst_or_default() const { return burst.value_or(kBurst); }
    bool operator==(const RateConfig&) const = default;
};

// A word of what `key` ("--disk") says: bps=SIZE, ops=N or burst=TIME. False: it is another.
Result<bool> parse_rate(const std::string& word, const char* key, RateConfig& rate);
// Whether the words fit together.
Result<void> check_rate(const RateConfig& rate, const char* key);

}  // namespace carrel
