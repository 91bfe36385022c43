#include "vmm/sim/meter.h"

#include <algorithm>

namespace carrel::sim {

Meter::Meter(const ScenarioGuest& guest, std::string name) {
    result_.name = std::move(name);
    result_.workload = guest.workload.kind;
    result_.quota = guest.quota;
    result_.vcpus = guest.vcpus;
}

void Meter::burst_ran_first(Nanoseconds response) {
    result_.response += response;
    responses_.push_back(response);
}

void Meter::burst_done(Nanoseconds turnaround) {
    ++result_.done;
    result_.turnaround += turnaround;
}

void Meter::waited(Nanoseconds from, Nanoseconds to) {
    result_.waiting += to - from;
    result_.longest_wait = std::max(result_.longest_wait, to - from);
}

void Meter::ran(Nanoseconds from, Nanoseconds to) {
    result_.used += to - from;
    if (result_.quota.cap) curve_.add(from, to);
}

GuestResult Meter::finish(Nanoseconds begin, Nanoseconds end) {
    result_.responded = responses_.size();
    if (!responses_.empty()) {
        const auto p99 = responses_.begin() + static_cast<ptrdiff_t>((responses_.size() - 1) * 99 / 100);
        std::nth_element(responses_.begin(), p99, responses_.end());
        result_.response_p99 = *p99;
    }
    const Nanoseconds from = begin + 2 * result_.quota.period;
    for (size_t i = 0; i < kWindows.size(); ++i)
        if (result_.quota.cap && end - from >= kWindows[i])
            result_.window_errors[i] = curve_.worst(kWindows[i], *result_.quota.cap, from, end);
    return std::move(result_);
}

}  // namespace carrel::sim
