// MachineStatistics: what a machine has done and its guest has told.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "devices/virtio/balloon/balloon_format.h"
#include "vmm/machine/virtio_devices.h"
#include "vmm/memory/fault_service.h"

namespace carrel {

// Of its balloon, in bytes. `told` by VIRTIO 1.3, 5.5.6.4's tags, as the guest last said.
struct BalloonReport {
    uint64_t target = 0;         // asked for
    uint64_t held = 0;           // the most at a time, as the guest says
    uint64_t released = 0;       // went back to the host, by inflating and by reports
    uint64_t refused_pages = 0;  // that aren't RAM
    std::array<std::optional<uint64_t>, virtio::kBalloonTags> told;
};

// What it did, for -v and for reports.
struct MachineStatistics {
    uint64_t exits = 0;  // to userspace
    uint64_t port_exits = 0, mmio_exits = 0, interrupted = 0, other_exits = 0;
    uint64_t unmapped_ports = 0, unmapped_mmio = 0;
    std::vector<MalformedChains> malformed;  // the virtio devices in their order
    std::vector<InterfaceTraffic> traffic;   // the network interfaces in theirs
    std::optional<BalloonReport> balloon;    // none: it has none
    std::optional<MemoryReport> memory;      // none: it has no quota
};

}  // namespace carrel
