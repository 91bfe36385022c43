// What a person may say about the host of several guests: what of the machine they may have together. Plain
// data; nothing here asks the machine.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "vmm/base/result.h"
#include "vmm/model/cpu_quota.h"
#include "vmm/model/policy.h"
#include "vmm/model/rate_config.h"

namespace carrel {

// Which host CPUs a guest's threads run on.
enum class Placement : uint8_t {
    kNone,    // the host kernel's business
    kSpread,  // as few guests to a CPU as there can be
    kPack,    // as few CPUs as are enough
};

struct HostConfig {
    std::vector<uint32_t> cpus;  // in ascending order; empty: all that the process may use
    uint64_t memory = 0;         // bytes; 0: all that the host has
    // Reservations and quotas of all guests together may be this many times what there is.
    CpuShare cpu_overcommit = kWholeCpu;  // "100%"
    CpuShare memory_overcommit = kWholeCpu;
    RateConfig disk, net;  // of all guests together; without a limit: nobody has said
    Policy policy = Policy::kWeightedFair;
    Placement placement = Placement::kNone;
    bool operator==(const HostConfig&) const = default;

    static constexpr CpuShare kMostOvercommit = 100 * kWholeCpu;
};

Result<Placement> parse_placement(const std::string& text);
const char* to_text(Placement placement);  // "none", "spread", "pack"
Result<void> check_host(const HostConfig& host);

}  // namespace carrel
