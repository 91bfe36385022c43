// MachineShare: what the machines of one process share.
#pragma once

#include "boot/payload_cache.h"
#include "devices/backends/net_switch.h"
#include "vmm/machine/disk_pool.h"
#include "vmm/memory/mapping_budget.h"
#include "vmm/model/gpa.h"

namespace carrel {

// Any thread, but for what says otherwise; outlives every machine.
struct MachineShare {
    static constexpr uint64_t kKernelsKept = 256 * kMiB;  // unpacked ones have 50 to 80 MiB
    boot::PayloadCache kernels{kKernelsKept};
    MappingBudget mappings;
    DiskPool disks;
    NetSwitches switches;  // on the io thread, or while it doesn't run
};

}  // namespace carrel
