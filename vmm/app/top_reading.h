// A reading of a host's counters, from what its control socket tells (vmm/control/README.md).
#pragma once

#include <functional>
#include <string>

#include "vmm/app/top_snapshot.h"
#include "vmm/base/result.h"

namespace carrel::app {

// The body of the answer to "GET TARGET".
using TopGet = std::function<Result<std::string>(const std::string& target)>;

// Asks for the host, its guests, and each one's configuration and figures. A guest that goes meanwhile is
// left out; what isn't told, or makes no sense, isn't measured. `now`: of the caller's clock.
Result<TopReading> take_reading(const TopGet& get, Nanoseconds now);

}  // namespace carrel::app
