// UsageCurve: how much CPU time one guest used until when; and by how much it missed its cap, at worst.
#pragma once

#include <utility>
#include <vector>

#include "vmm/base/clock.h"
#include "vmm/model/cpu_quota.h"

namespace carrel::sim {

// In percentage points of one CPU.
struct WindowError {
    double over = 0;
    double under = 0;
};

class UsageCurve {
  public:
    // One vCPU ran. In any order; those of different vCPUs may overlap.
    void add(Nanoseconds from, Nanoseconds to);
    // Of all windows of that length between `from` and `to`, wherever they begin. None fits: no error.
    WindowError worst(Nanoseconds window, CpuShare cap, Nanoseconds from, Nanoseconds to);

  private:
    struct Point {
        Nanoseconds time;
        Nanoseconds used;  // until then
    };
    struct Edge {
        Nanoseconds time;
        int running;  // one more, or one fewer
    };
    void integrate();
    Nanoseconds used_until(Nanoseconds time, size_t& hint) const;

    std::vector<Edge> edges_;
    std::vector<Point> points_;
};

}  // namespace carrel::sim
