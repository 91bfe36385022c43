// What a simulation measured, for programs.
#pragma once

#include <string>

#include "vmm/sim/outcome.h"

namespace carrel::app {

std::string to_json(const sim::Outcome& outcome);

}  // namespace carrel::app
