// RateLimit: how much may be done in a second: bytes, operations, or both.
//
// Each is a bucket of tokens that fills at its rate, up to its burst. An operation may start while the bucket
// isn't in debt, and then takes all that it needs; what is missing is owed, and others wait for it. So one
// that is larger than the burst isn't stuck, and over time not a byte too many passes.
//
// A bucket's level is kept as the time at which it will be full, to the rest of the division, so nothing is
// lost to rounding, and nothing has to be done while time passes:
//
//   full_at - burst       now           full_at
//   ────────┼──────────────┼──────────────┼──────► time
//         opens            │              └ full: no more is saved up
//                          └ here it is open
#pragma once

#include <cstdint>

#include "vmm/base/clock.h"
#include "vmm/model/rate_config.h"

namespace carrel::virtio {

// Time is passed in. One that goes back opens nothing. Not for several threads.
class TokenBucket {
  public:
    // `rate`: in a second; 0: no limit. Full at first.
    TokenBucket(uint64_t rate, Nanoseconds burst) : rate_(rate), burst_(burst) {}

    // When the next operation may start; in the past: now.
    Nanoseconds opens_at() const { return rate_ == 0 ? 0 : full_at_ - burst_; }
    void take(uint32_t tokens, Nanoseconds now);
    // Another rate from `now` on. A debt stays one of as many tokens, but is never paid off later than
    // before.
    void change(uint64_t rate, Nanoseconds burst, Nanoseconds now);

  private:
    uint64_t rate_;
    Nanoseconds burst_;
    Nanoseconds full_at_ = 0;
    uint64_t rest_ = 0;  // of the division by rate_
};

class RateLimit {
  public:
    explicit RateLimit(const RateConfig& config)
        : bytes_(config.bytes, config.burst_or_default()),
          operations_(config.operations, config.burst_or_default()) {}

    Nanoseconds opens_at() const;
    // One operation of so many bytes has started.
    void take(uint32_t bytes, Nanoseconds now);
    void change(const RateConfig& config, Nanoseconds now);

  private:
    TokenBucket bytes_;
    TokenBucket operations_;
};

}  // namespace carrel::virtio
