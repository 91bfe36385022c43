// One machine as a tree of values, inside of this folder.
#pragma once

#include "vmm/config/strict_json.h"
#include "vmm/model/machine_config.h"

namespace carrel::config {

Json machine_tree(const MachineConfig& config);
Result<MachineConfig> machine_from_tree(const Json& tree, const Place& place);

}  // namespace carrel::config
