// What -v says when a guest has ended.
#pragma once

#include <string>
#include <vector>

#include "vmm/machine/machine_statistics.h"

namespace carrel::cli {

std::vector<std::string> statistics_lines(const MachineStatistics& statistics);

}  // namespace carrel::cli
