// DeviceSources: the host's side of a machine's devices, opened once. It outlives the devices: a machine that
// is rebuilt or restarted connects new ones to the same sources.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "devices/backends/disk_image.h"
#include "devices/backends/net_backend.h"
#include "devices/backends/net_switch.h"
#include "devices/virtio/throttle.h"
#include "devices/virtio/vsock/vsock_hub.h"
#include "vmm/base/event_loop.h"
#include "vmm/base/log.h"
#include "vmm/base/opener.h"
#include "vmm/base/spawner.h"
#include "vmm/model/machine_config.h"

namespace carrel {

// What a guest's disk is connected to.
struct DiskSource {
    DiskImage image;
    std::string id;
    std::unique_ptr<virtio::Throttle> throttle;  // its limit may be changed by any thread
};

// Where a guest's network interface leads to.
struct NetSource {
    std::unique_ptr<NetBackend> backend;
    MacAddress mac{};
    uint16_t mtu = 0;  // 0: the backend's
    std::unique_ptr<virtio::Throttle> receive, send;
};

// What they are opened with; all of it outlives them.
struct SourceServices {
    Opener& opener;
    Spawner& spawner;
    EventLoop& io;  // the devices' thread
    Log& log;
    NetSwitches& switches;
};

struct DeviceSources {
    std::vector<DiskSource> disks;  // in the order of the configuration, as all

    std::vector<NetSource> nets;
    BalloonOptions balloon;  // where there is one
    std::unique_ptr<virtio::VsockHub> vsock;

    // All that `config` names. Errors name the key and what it said.
    static Result<DeviceSources> open(const MachineConfig& config, const SourceServices& services);
};

}  // namespace carrel
