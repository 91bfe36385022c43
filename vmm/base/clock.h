// Clock: time is passed in, so that tests own it (DESIGN.md section 10).
#pragma once

#include <cstdint>
#include <ctime>

namespace carrel {

using Nanoseconds = int64_t;
inline constexpr Nanoseconds kMicrosecond = 1'000;
inline constexpr Nanoseconds kMillisecond = 1'000'000;
inline constexpr Nanoseconds kSecond = 1'000'000'000;

// What clock_gettime(2) says of a clock that there is.
inline Nanoseconds read_clock(clockid_t id) {
    timespec t{};
    ::clock_gettime(id, &t);
    return t.tv_sec * kSecond + t.tv_nsec;
}

// Any thread.
class Clock {
  public:
    virtual ~Clock() = default;
    virtual Nanoseconds now() const = 0;   // monotonic; the zero point has no meaning
    virtual Nanoseconds wall() const = 0;  // since 1970-01-01 00:00 UTC
};

class SystemClock final : public Clock {
  public:
    Nanoseconds now() const override { return read_clock(CLOCK_MONOTONIC); }
    Nanoseconds wall() const override { return read_clock(CLOCK_REALTIME); }
};

// A clock that stands until a test moves it. Not for several threads.
class ManualClock final : public Clock {
  public:
    Nanoseconds now() const override { return now_; }
    Nanoseconds wall() const override { return wall_; }
    void advance(Nanoseconds by) {
        now_ += by;
        wall_ += by;
    }
    void set_wall(Nanoseconds wall) { wall_ = wall; }

  private:
    Nanoseconds now_ = 0;
    Nanoseconds wall_ = 0;
};

}  // namespace carrel
