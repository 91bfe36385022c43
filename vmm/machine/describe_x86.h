// describe(): the one moment in which a machine's identity is taken from the host.
#pragma once

#include "vmm/base/result.h"
#include "vmm/kvm/kvm.h"
#include "vmm/model/machine_config.h"
#include "vmm/model/machine_description.h"

namespace carrel {

// Refuses more vCPUs than this KVM can run.
Result<MachineDescription> describe(const kvm::Kvm& kvm, const MachineConfig& config);

}  // namespace carrel
