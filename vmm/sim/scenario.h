// What is simulated: plain data.
#pragma once

#include <string>
#include <vector>

#include "vmm/model/cpu_quota.h"
#include "vmm/sched/policy_core.h"

namespace carrel::sim {

struct TraceLine {
    Nanoseconds arrival;  // since the begin
    Nanoseconds burst;    // CPU time
};

// When a vCPU wants the CPU, and for how long.
struct Workload {
    enum class Kind {
        kHog,          // always
        kInteractive,  // for `burst`, then it thinks for `pause`
        kPeriodic,     // for `burst`, each `pause`, whether the last has been done or not
        kIo,           // for `burst`, then it waits for `pause`; that costs the host `io_cost`
        kOnce,         // for `burst`
        kTrace,        // as `trace` says
    };
    Kind kind = Kind::kHog;
    Nanoseconds arrive = 0;  // the first time
    Nanoseconds burst = 0;
    Nanoseconds pause = 0;
    Nanoseconds io_cost = 0;
    uint32_t jitter = 0;  // percent of burst and pause, evenly more or less
    std::vector<TraceLine> trace = {};
};

struct ScenarioGuest {
    std::string name = "guest";
    uint32_t count = 1;  // so many of them
    uint32_t vcpus = 1;  // each with the workload
    CpuQuota quota;
    Workload workload;
};

// How real vCPUs differ from ideal ones.
struct Reality {
    Nanoseconds late_stop = 0;    // a lease ends late by so much
    Nanoseconds halt_notice = 0;  // until a halt is learned, the CPU stays taken
    Nanoseconds switch_cost = 0;  // of the CPU, before each lease
};

struct Scenario {
    static constexpr uint32_t kMostCpus = 1024;
    static constexpr uint32_t kMostVcpus = 100'000;

    sched::PolicyCore::Options scheduler;
    std::vector<ScenarioGuest> guests;
    Reality reality;
    Nanoseconds until = kSecond;
    uint64_t seed = 1;
    Nanoseconds chart_from = 0;
    Nanoseconds chart_to = 100 * kMillisecond;
};

}  // namespace carrel::sim
