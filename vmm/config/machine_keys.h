// All that can be said about one machine, in the order in which it is read: what belongs to something follows
// it.
#pragma once

#include <span>

#include "vmm/config/key.h"
#include "vmm/model/machine_config.h"

namespace carrel::config {

using MachineKey = Key<MachineConfig>;

std::span<const MachineKey> machine_keys();

}  // namespace carrel::config
