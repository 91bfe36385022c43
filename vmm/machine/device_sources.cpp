#include "vmm/machine/device_sources.h"

#include "devices/backends/passt.h"
#include "devices/backends/tap.h"
#include "vmm/base/check.h"

namespace carrel {
namespace {

Result<DiskSource> open_disk(const DiskConfig& disk, uint32_t cpus, const SourceServices& services) {
    TRY_ASSIGN(DiskImage image, DiskImage::open(services.opener, disk, "--disk"));
    image.queues = disk.queues_for(cpus);
    const std::string name = disk.path.substr(disk.path.find_last_of('/') + 1);
    TRY_ASSIGN(auto throttle, virtio::Throttle::create(services.io, disk.rate));
    return DiskSource{std::move(image), disk.id.empty() ? name : disk.id, std::move(throttle)};
}

Result<std::unique_ptr<NetBackend>> open_backend(const NetConfig& net, const SourceServices& services) {
    std::unique_ptr<NetBackend> backend;
    switch (net.kind) {
        case NetConfig::Kind::kTap: {
            TRY_ASSIGN(TapInterface tap, TapInterface::open(services.opener, net.name, net.queues, "--net"));
            backend = std::make_unique<Tap>(services.io, std::move(tap));
            break;
        }
        case NetConfig::Kind::kTapFd: {
            TRY_ASSIGN(TapInterface tap, TapInterface::adopt(net.fd, "--net"));
            backend = std::make_unique<Tap>(services.io, std::move(tap));
            break;
        }
        case NetConfig::Kind::kUser: {
            TRY_ASSIGN(backend, Passt::create({services.io, services.spawner, services.log},
                                              PasstOptions{net.mtu, net.forwards}));
            break;
        }
        case NetConfig::Kind::kSwitch: {
            TRY_ASSIGN(backend, services.switches.add_port(services.io, net.name, *net.mac, net.mtu));
            break;
        }
    }
    return backend;
}

Result<NetSource> open_net(const NetConfig& net, const SourceServices& services) {
    CHECK(net.mac.has_value());  // chosen when the guest was made
    TRY_ASSIGN(auto backend, open_backend(net, services));
    TRY_ASSIGN(auto receive, virtio::Throttle::create(services.io, net.rate));
    TRY_ASSIGN(auto send, virtio::Throttle::create(services.io, net.rate));
    return NetSource{std::move(backend), *net.mac, net.mtu, std::move(receive), std::move(send)};
}

}  // namespace

Result<DeviceSources> DeviceSources::open(const MachineConfig& config, const SourceServices& services) {
    DeviceSources sources;
    for (const DiskConfig& disk : config.disks) {
        TRY_ASSIGN(DiskSource source, open_disk(disk, config.cpus, services));
        sources.disks.push_back(std::move(source));
    }
    for (const NetConfig& net : config.nets) {
        TRY_ASSIGN(NetSource source, open_net(net, services));
        sources.nets.push_back(std::move(source));
    }
    sources.balloon = config.balloon.value_or(BalloonOptions{});
    if (config.vsock) {
        TRY_ASSIGN(sources.vsock,
                   virtio::VsockHub::create(services.opener, config.vsock->path, config.vsock->cid));
    }
    return sources;
}

}  // namespace carrel
