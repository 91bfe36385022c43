// Where the devices of a configuration are on the PCI bus.
#pragma once

#include <vector>

#include "vmm/model/machine_config.h"
#include "vmm/model/machine_description.h"

namespace carrel {

// Appends a place for each, and one for ECAM where there is any.
void add_virtio_places(const MachineConfig& config, std::vector<DevicePlace>& places);

}  // namespace carrel
