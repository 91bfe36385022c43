// PeriodGrid: where the periods of a quota begin.
//
// In step, each is as long as was asked. Else half of them are a little longer and half a little shorter, so
// that the grid sweeps back and forth:
//
//      │ 525 periods of P + P/2500 │ 475 periods of P − P/2500 │ 525 …       for P = 10 ms:
//      0                          2.1 ms late                0.2 ms late    than a grid in step, in 10 s
//
// A guest counts its own time by ticks of 1, 4 or 10 ms, and a grid in step with them would show it a wrong
// share for ever: at 25 %, its `top` found 65 % stolen or 79 % by how the two lay. A tick and a period of
// 10 ms lie as before after 1, 2 or 10 ms of sweep. It comes back all but 0.2 ms each thousand periods, so
// that as much lies in any 10 s as in any other.
#pragma once

#include <cstdlib>

#include "vmm/base/clock.h"

namespace carrel::sched {

class PeriodGrid {
  public:
    // `start`: the begin of the first.
    PeriodGrid(Nanoseconds period, bool in_step, Nanoseconds start)
        : period_(period), slope_(in_step ? 0 : period / kSlope), base_(start), begin_(start) {}

    // Of the period that was last advanced to.
    Nanoseconds begin() const { return begin_; }
    Nanoseconds end() const { return begin_ + length(); }
    Nanoseconds length() const { return period_ + slope_; }
    // As it was asked for.
    Nanoseconds period() const { return period_; }

    // To the period in which `time` lies, which isn't before this one.
    void advance(Nanoseconds time) {
        if (time < end()) return;
        const Nanoseconds slope = std::abs(slope_), first = kLong * (period_ + slope);
        const Nanoseconds cycle = first + kShort * (period_ - slope);
        base_ += (time - base_) / cycle * cycle;
        const bool late = time - base_ >= first;
        slope_ = late ? -slope : slope;
        const Nanoseconds half = late ? base_ + first : base_;
        begin_ = half + (time - half) / length() * length();
    }

  private:
    static constexpr Nanoseconds kSlope = 2500;  // a period is off by one part of so many
    static constexpr Nanoseconds kLong = 525, kShort = 475;

    Nanoseconds period_;
    Nanoseconds slope_;  // what a period is longer; below zero in a cycle's second part
    Nanoseconds base_;   // the begin of this cycle
    Nanoseconds begin_;  // of this period
};

}  // namespace carrel::sched
