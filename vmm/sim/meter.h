// Meter: what is measured of one guest while it runs.
#pragma once

#include "vmm/sim/outcome.h"

namespace carrel::sim {

class Meter {
  public:
    explicit Meter(const ScenarioGuest& guest, std::string name);

    void burst_came() { ++result_.begun; }
    void burst_ran_first(Nanoseconds response);
    void burst_done(Nanoseconds turnaround);
    void waited(Nanoseconds from, Nanoseconds to);
    void ran(Nanoseconds from, Nanoseconds to);
    void io(Nanoseconds used) { result_.used_io += used; }

    Nanoseconds used() const { return result_.used; }
    // The error of the windows is looked for from two periods after the begin on.
    GuestResult finish(Nanoseconds begin, Nanoseconds end);

  private:
    GuestResult result_;
    std::vector<Nanoseconds> responses_;
    UsageCurve curve_;  // with a cap only
};

}  // namespace carrel::sim
