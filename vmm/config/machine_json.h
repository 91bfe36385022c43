// One machine as JSON: the keys are `run`'s options without their dashes.
#pragma once

#include <string>
#include <string_view>

#include "vmm/model/machine_config.h"

namespace carrel::config {

// What differs from the defaults, and the name.
Result<std::string> to_json(const MachineConfig& config);
// Checked whole. `where` begins each error: a file's name.
Result<MachineConfig> machine_from_json(std::string_view text, const std::string& where);

}  // namespace carrel::config
