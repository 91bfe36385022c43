// Simulator: a host in virtual time. It drives the same PolicyCore as the real backend does (vmm/sched), and
// in the same way: it tells what happened, gives out what is granted, takes back what is recalled. Nothing
// depends on this machine: the same scenario and seed give the same result.
#pragma once

#include <memory>

#include "vmm/sim/outcome.h"

namespace carrel::sim {

class Simulator {
  public:
    explicit Simulator(const Scenario& scenario);
    ~Simulator();
    Simulator(const Simulator&) = delete;
    Simulator& operator=(const Simulator&) = delete;

    // To the scenario's end, or until nobody wants anything more. Once.
    Outcome run();

    // Up to `time`; then the core may be told to change something. Ends with run().
    void run_until(Nanoseconds time);
    sched::PolicyCore& core();
    // CPU time of a guest so far, of a lease that is out, too. Guests count from 0, replicas one by one.
    Nanoseconds used(uint32_t guest) const;

  private:
    class Host;
    std::unique_ptr<Host> host_;
};

}  // namespace carrel::sim
