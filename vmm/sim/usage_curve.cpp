#include "vmm/sim/usage_curve.h"

#include <algorithm>

namespace carrel::sim {

void UsageCurve::add(Nanoseconds from, Nanoseconds to) {
    if (from >= to) return;
    edges_.push_back({from, 1});
    edges_.push_back({to, -1});
    points_.clear();
}

void UsageCurve::integrate() {
    std::sort(edges_.begin(), edges_.end(), [](const Edge& a, const Edge& b) { return a.time < b.time; });
    points_.assign(1, {0, 0});
    int running = 0;
    for (const Edge& edge : edges_) {
        const Point last = points_.back();
        if (edge.time > last.time)
            points_.push_back({edge.time, last.used + (edge.time - last.time) * running});
        running += edge.running;
    }
}

// `hint` only grows: the times that are asked for do.
Nanoseconds UsageCurve::used_until(Nanoseconds time, size_t& hint) const {
    while (hint + 1 < points_.size() && points_[hint + 1].time <= time) ++hint;
    const Point& a = points_[hint];
    if (hint + 1 == points_.size()) return a.used;
    const Point& b = points_[hint + 1];
    return a.used + (b.used - a.used) / (b.time - a.time) * (time - a.time);
}

// What a window holds changes at an even rate as it moves, but where one of its ends passes a point. So the
// extremes are there.
WindowError UsageCurve::worst(Nanoseconds window, CpuShare cap, Nanoseconds from, Nanoseconds to) {
    WindowError error;
    if (to - from < window) return error;
    if (points_.empty()) integrate();
    const double due = static_cast<double>(window) * static_cast<double>(cap) / kWholeCpu;
    const auto look = [&](Nanoseconds begin, size_t& left, size_t& right) {
        begin = std::clamp(begin, from, to - window);
        const Nanoseconds used = used_until(begin + window, right) - used_until(begin, left);
        const double off = (static_cast<double>(used) - due) * 100 / static_cast<double>(window);
        error.over = std::max(error.over, off);
        error.under = std::max(error.under, -off);
    };
    size_t left = 0, right = 0;
    for (const Point& point : points_) look(point.time, left, right);
    left = right = 0;
    for (const Point& point : points_) look(point.time - window, left, right);
    return error;
}

}  // namespace carrel::sim
