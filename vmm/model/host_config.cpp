#include "vmm/model/host_config.h"

namespace carrel {
namespace {

Result<void> check_overcommit(CpuShare share, const char* key) {
    if (share >= kWholeCpu && share <= HostConfig::kMostOvercommit) return {};
    return usage_error(std::string(key) + ": " + cpu_share_text(share) + " is not between 100% and 10000%",
                       "leave it out for 100%: no more than there is");
}

}  // namespace

Result<Placement> parse_placement(const std::string& text) {
    if (text == "none") return Placement::kNone;
    if (text == "spread") return Placement::kSpread;
    if (text == "pack") return Placement::kPack;
    return usage_error("--placement: '" + text + "' is none of none, spread and pack",
                       "leave it out for none");
}

const char* to_text(Placement placement) {
    switch (placement) {
        case Placement::kNone: return "none";
        case Placement::kSpread: return "spread";
        case Placement::kPack: return "pack";
    }
    return "";
}

Result<void> check_host(const HostConfig& host) {
    for (const uint64_t operations : {host.disk.operations, host.net.operations})
        if (operations > RateConfig::kMost)
            return usage_error("--disk-ops, --net-ops: that many operations a second are not a limit",
                               "leave it out");
    TRY(check_overcommit(host.cpu_overcommit, "--cpu-overcommit"));
    return check_overcommit(host.memory_overcommit, "--memory-overcommit");
}

}  // namespace carrel
