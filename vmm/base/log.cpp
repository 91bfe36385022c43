#include "vmm/base/log.h"

#include <unistd.h>

#include <algorithm>
#include <string>

namespace carrel {

void Log::write(LogLevel level, std::string_view text) {
    if (!enabled(level)) return;
    std::string line = "carrel: ";
    line += text;
    line += raw_.load(std::memory_order_relaxed) ? "\r\n" : "\n";
    [[maybe_unused]] const auto written = ::write(fd_, line.data(), line.size());
}

bool RateLimit::allow(Nanoseconds now, uint64_t& suppressed) {
    if (now - refilled_ >= interval_) {
        const auto periods = static_cast<uint64_t>((now - refilled_) / interval_);
        left_ = static_cast<uint32_t>(std::min<uint64_t>(burst_, left_ + periods));
        refilled_ = now;
    }
    if (left_ == 0) {
        ++suppressed_;
        return false;
    }
    --left_;
    suppressed = suppressed_;
    suppressed_ = 0;
    return true;
}

}  // namespace carrel
