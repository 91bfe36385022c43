// Where the virtio devices of a configuration are: on the PCI bus, or each in a page of its own.
#pragma once

#include <vector>

#include "vmm/model/machine_config.h"
#include "vmm/model/machine_description.h"

namespace carrel {

// Appends a place for each, and one for ECAM where there is any PCI function.
void add_virtio_places(const MachineConfig& config, std::vector<DevicePlace>& places);

}  // namespace carrel
