// HostAccount: what a host has to give, what it has promised, and whether one more guest fits.
//
//   R_free = R_total − ΣR_i     R_i of CPUs: a guest's reservation; of memory: its quota, or else its RAM; of
//                               disks and networks: the sum of its limits
//
// A guest is admitted when no R_free falls below 0. Over-commit is a larger R_total, and only said by
// configuration. Where a total is said for disks or networks, one without a limit might use all of it, so a
// guest with such a one is refused.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "vmm/base/result.h"
#include "vmm/model/host_config.h"
#include "vmm/model/machine_config.h"

namespace carrel {

// R_total. 0 for what disks and networks do in a second: nobody has said how much there is, so nothing is
// refused for it.
struct HostResources {
    CpuShare cpu = 0;
    uint64_t memory = 0;  // bytes
    uint64_t disk = 0;    // bytes a second
    uint64_t net = 0;     // bytes a second, of each direction
    uint64_t disk_operations = 0;
    uint64_t net_operations = 0;  // frames, of each direction

    // What `config` says, and for the rest the CPUs that this process may use, and the memory that the
    // machine has; over-committed as it says.
    static HostResources of(const HostConfig& config);
    bool operator==(const HostResources&) const = default;
};

class HostAccount {
  public:
    // As many as crash_registry has places for.
    static constexpr uint32_t kMostGuests = 4000;

    explicit HostAccount(const HostResources& total) : total_(total) {}

    // Promises what `guest` wants, or refuses with the sums.
    Result<void> admit(const MachineConfig& guest);
    void release(const MachineConfig& guest);
    // One that is admitted shall want something else. On an error nothing is changed.
    Result<void> exchange(const MachineConfig& before, const MachineConfig& after);

    const HostResources& total() const { return total_; }
    const HostResources& promised() const { return promised_; }
    uint32_t guests() const { return guests_; }

  private:
    Result<void> fits(const MachineConfig& guest, const HostResources& promised) const;
    Result<void> check_limits(const MachineConfig& guest) const;

    const HostResources total_;
    HostResources promised_;
    uint32_t guests_ = 0;
};

// R_i.
HostResources wanted_by(const MachineConfig& guest);

}  // namespace carrel
