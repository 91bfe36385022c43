// Log: what carrel has to say beside the guest's console. Passed in, never global.
#pragma once

#include <fmt/core.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "vmm/base/clock.h"
#include "vmm/base/mutex.h"
#include "vmm/base/result.h"

namespace carrel {

enum class LogLevel { kError, kWarning, kInfo, kDebug };

// Writes lines "carrel: …" to a descriptor it doesn't own (stderr). Any thread. A reader that takes nothing
// is waited for kPatience once; then lines are dropped until it takes some again: no log line ever holds a
// guest or its end up.
class Log {
  public:
    Log(int fd, LogLevel level) : fd_(fd), level_(level) {}

    bool enabled(LogLevel level) const { return level <= level_; }
    template <class... Args>
    void error(fmt::format_string<Args...> format, Args&&... args) {
        write(LogLevel::kError, fmt::vformat(format, fmt::make_format_args(args...)));
    }
    template <class... Args>
    void warning(fmt::format_string<Args...> format, Args&&... args) {
        if (enabled(LogLevel::kWarning))
            write(LogLevel::kWarning, fmt::vformat(format, fmt::make_format_args(args...)));
    }
    template <class... Args>
    void info(fmt::format_string<Args...> format, Args&&... args) {
        if (enabled(LogLevel::kInfo))
            write(LogLevel::kInfo, fmt::vformat(format, fmt::make_format_args(args...)));
    }
    template <class... Args>
    void debug(fmt::format_string<Args...> format, Args&&... args) {
        if (enabled(LogLevel::kDebug))
            write(LogLevel::kDebug, fmt::vformat(format, fmt::make_format_args(args...)));
    }
    void write(LogLevel level, std::string_view text) EXCLUDES(mutex_);
    // The terminal `fd` is raw now, or no longer: if the log goes there, a line needs "\r\n".
    void set_raw(int fd, bool raw) EXCLUDES(mutex_);

  private:
    static constexpr Nanoseconds kPatience = 100 * kMillisecond;
    bool goes_to(int terminal) const;

    const int fd_;
    const LogLevel level_;
    Mutex mutex_;
    bool raw_ GUARDED_BY(mutex_) = false;
    bool stuck_ GUARDED_BY(mutex_) = false;
};

Result<LogLevel> parse_log_level(const std::string& text);  // "error", "warning", "info", "debug"
const char* to_text(LogLevel level);

// Lets `burst` events through at once and one more per interval; counts the rest. For what a guest can cause
// at will. Thread-safety is the caller's (each device has its mutex).
class RateLimit {
  public:
    RateLimit(uint32_t burst, Nanoseconds interval) : burst_(burst), left_(burst), interval_(interval) {}
    // True when this event may be told; `suppressed` then says how many were not told since the last one.
    bool allow(Nanoseconds now, uint64_t& suppressed);

  private:
    uint32_t burst_;
    uint32_t left_;
    Nanoseconds interval_;
    Nanoseconds refilled_ = 0;
    uint64_t suppressed_ = 0;
};

}  // namespace carrel
