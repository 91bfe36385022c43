// Log: what carrel has to say beside the guest's console. Passed in, never global.
#pragma once

#include <fmt/core.h>

#include <atomic>
#include <cstdint>
#include <string_view>

#include "vmm/base/clock.h"
#include "vmm/base/mutex.h"

namespace carrel {

enum class LogLevel { kError, kWarning, kInfo, kDebug };

// Writes lines "carrel: …" to a descriptor it doesn't own (stderr). Any thread; one write(2) a line. A
// terminal in raw mode gets its \r too.
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
    void write(LogLevel level, std::string_view text);
    // While a terminal is raw, a line needs "\r\n".
    void set_raw(bool raw) { raw_.store(raw, std::memory_order_relaxed); }

  private:
    int fd_;
    LogLevel level_;
    std::atomic<bool> raw_{false};
};

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
