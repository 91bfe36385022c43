// GuestStats: figures of one guest at one moment, as plain data.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "vmm/base/clock.h"
#include "vmm/host/guest_state.h"
#include "vmm/machine/machine_end.h"
#include "vmm/machine/machine_statistics.h"
#include "vmm/machine/vcpu_sampler.h"
#include "vmm/model/machine_config.h"

namespace carrel {

struct VcpuStats {
    uint64_t exits = 0;                // to userspace
    std::optional<VcpuSample> sample;  // none: its thread doesn't run
};

struct GuestStats {
    Nanoseconds time = 0;           // since 1970: of these figures
    Nanoseconds up = 0;             // since it was started
    uint32_t restarts = 0;          // by itself
    MachineStatistics machine;      // of its last machine
    std::optional<Nanoseconds> io;  // CPU time that the process's threads spent for it; none: nobody counts
    std::vector<VcpuStats> vcpus;   // none: it has no machine
};

// What there is to say about a guest in a list, or by itself.
struct GuestInfo {
    std::string name;
    GuestState state = GuestState::kAbsent;
    std::string why;                // of being held, stopping or ended; may be empty
    std::optional<MachineEnd> end;  // once it has ended
    MachineConfig config;
};

}  // namespace carrel
