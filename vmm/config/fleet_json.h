// Several guests and their host, from a file or a folder of files.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "vmm/base/opener.h"
#include "vmm/model/host_config.h"
#include "vmm/model/machine_config.h"

namespace carrel::config {

struct FleetConfig {
    HostConfig host;
    std::vector<MachineConfig> guests;  // each with a name of its own
    bool operator==(const FleetConfig&) const = default;
};

Result<std::string> to_json(const HostConfig& host);
Result<std::string> to_json(const FleetConfig& fleet);
// {"host": {…}, "guests": [{…}, …]}, or one guest. `where` begins each error: a file's name.
Result<FleetConfig> fleet_from_json(std::string_view text, const std::string& where);
// A file of that form, or a folder of files *.json, in the order of their names.
Result<FleetConfig> load_fleet(Opener& opener, const std::string& path);

}  // namespace carrel::config
