#include "vmm/machine/device_sources.h"

namespace carrel {
namespace {

Result<DiskSource> open_disk(const DiskConfig& disk, Opener& opener) {
    TRY_ASSIGN(DiskImage image, DiskImage::open(opener, disk.path, disk.read_only, "--disk"));
    const std::string name = disk.path.substr(disk.path.find_last_of('/') + 1);
    return DiskSource{std::move(image), disk.id.empty() ? name : disk.id};
}

}  // namespace

Result<DeviceSources> DeviceSources::open(const MachineConfig& config, Opener& opener) {
    DeviceSources sources;
    for (const DiskConfig& disk : config.disks) {
        TRY_ASSIGN(DiskSource source, open_disk(disk, opener));
        sources.disks.push_back(std::move(source));
    }
    return sources;
}

}  // namespace carrel
