#include "vmm/base/log.h"

#include <sys/ioctl.h>

#include <algorithm>
#include <span>
#include <string>

#include "vmm/base/stream_fd.h"

namespace carrel {

void Log::write(LogLevel level, std::string_view text) {
    if (!enabled(level)) return;
    MutexLock lock(mutex_);
    std::string line = "carrel: ";
    line += text;
    line += raw_ ? "\r\n" : "\n";
    stuck_ = !write_patiently(fd_, std::as_bytes(std::span(line)), stuck_ ? 0 : kPatience);
}

// By the device, since /dev/tty is another name of it.
bool Log::goes_to(int terminal) const {
    unsigned ours = 0, theirs = 0;
    return ::ioctl(fd_, TIOCGDEV, &ours) == 0 && ::ioctl(terminal, TIOCGDEV, &theirs) == 0 && ours == theirs;
}

void Log::set_raw(int fd, bool raw) {
    MutexLock lock(mutex_);
    raw_ = raw && goes_to(fd);
}

Result<LogLevel> parse_log_level(const std::string& text) {
    if (text == "error") return LogLevel::kError;
    if (text == "warning") return LogLevel::kWarning;
    if (text == "info") return LogLevel::kInfo;
    if (text == "debug") return LogLevel::kDebug;
    return usage_error("--log: '" + text + "' is none of error, warning, info and debug");
}

const char* to_text(LogLevel level) {
    constexpr const char* kNames[] = {"error", "warning", "info", "debug"};
    return kNames[static_cast<unsigned>(level)];
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
