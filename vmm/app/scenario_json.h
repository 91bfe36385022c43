// A scenario for `carrel simulate` from JSON, as a person wrote it: each key known, each value in its range.
#pragma once

#include "vmm/base/opener.h"
#include "vmm/sim/scenario.h"

namespace carrel::app {

// A trace file's name is taken from the scenario's folder on.
Result<sim::Scenario> load_scenario(Opener& opener, const std::string& path);

}  // namespace carrel::app
