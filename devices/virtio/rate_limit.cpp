#include "devices/virtio/rate_limit.h"

#include <algorithm>
#include <limits>

namespace carrel::virtio {
namespace {

constexpr Nanoseconds kNever = std::numeric_limits<Nanoseconds>::max();

Nanoseconds later(Nanoseconds time, uint64_t by) {
    return by < static_cast<uint64_t>(kNever - time) ? time + static_cast<Nanoseconds>(by) : kNever;
}

// `debt` at another rate, in time.
Nanoseconds rescaled(Nanoseconds debt, uint64_t rate, uint64_t new_rate) {
    if (debt <= 0 || new_rate <= rate) return debt;
    const double share = static_cast<double>(rate) / static_cast<double>(new_rate);
    // Rounding may make it a little more, which must still be a Nanoseconds.
    return static_cast<Nanoseconds>(static_cast<double>(std::min(debt, kNever / 2)) * share);
}

}  // namespace

void TokenBucket::take(uint32_t tokens, Nanoseconds now) {
    if (rate_ == 0) return;
    constexpr uint64_t kSecondTime = kSecond;
    static_assert(kSecondTime * std::numeric_limits<uint32_t>::max() <
                  std::numeric_limits<uint64_t>::max() - RateConfig::kMost);
    const uint64_t time = tokens * kSecondTime + rest_;
    full_at_ = later(std::max(full_at_, now), time / rate_);
    rest_ = time % rate_;
}

void TokenBucket::change(uint64_t rate, Nanoseconds burst, Nanoseconds now) {
    const Nanoseconds debt = rate_ == 0 ? -burst : rescaled(full_at_ - burst_ - now, rate_, rate);
    full_at_ = later(now, static_cast<uint64_t>(burst + std::clamp(debt, -burst, kNever - burst)));
    rate_ = rate;
    burst_ = burst;
    rest_ = 0;
}

Nanoseconds RateLimit::opens_at() const {
    return std::max(bytes_.opens_at(), operations_.opens_at());
}

void RateLimit::take(uint32_t bytes, Nanoseconds now) {
    bytes_.take(bytes, now);
    operations_.take(1, now);
}

void RateLimit::change(const RateConfig& config, Nanoseconds now) {
    bytes_.change(config.bytes, config.burst_or_default(), now);
    operations_.change(config.operations, config.burst_or_default(), now);
}

}  // namespace carrel::virtio
