// DeviceSources: the host's side of a machine's devices, opened once. It outlives the devices: a machine that
// is rebuilt or restarted connects new ones to the same sources.
#pragma once

#include <string>
#include <vector>

#include "devices/backends/disk_image.h"
#include "vmm/base/opener.h"
#include "vmm/model/machine_config.h"

namespace carrel {

// What a guest's disk is connected to.
struct DiskSource {
    DiskImage image;
    std::string id;
};

struct DeviceSources {
    std::vector<DiskSource> disks;  // in the order of the configuration, as all

    // All that `config` names. Errors name the key and what it said.
    static Result<DeviceSources> open(const MachineConfig& config, Opener& opener);
};

}  // namespace carrel
