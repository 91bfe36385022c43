#include "devices/pci/host_bridge.h"

#include "devices/pci/config_registers.h"
#include "devices/saved_state.h"

namespace carrel::pci {
namespace {
constexpr std::string_view kTag = "PCIH";
constexpr uint16_t kVersion = 1;
}  // namespace

HostBridge::HostBridge() : config_(kConventionalSize) {
    MutexLock lock(mutex_);
    config_.define(kVendorId, kVendor);
    config_.define(kDeviceId, kDevice);
    config_.define(kSubclass, kSubclassHost);
    config_.define(kBaseClass, kClassBridge);
}

void HostBridge::read_config(uint32_t offset, std::span<std::byte> data) {
    MutexLock lock(mutex_);
    config_.read(offset, data);
}

void HostBridge::write_config(uint32_t offset, std::span<const std::byte> data) {
    MutexLock lock(mutex_);
    config_.write(offset, data);
}

void HostBridge::reset() {
    MutexLock lock(mutex_);
    config_.reset();
}

void HostBridge::save(ByteWriter& writer) const {
    MutexLock lock(mutex_);
    const size_t start = writer.begin_part(kTag, kVersion);
    config_.save(writer);
    writer.end_part(start);
}

Result<void> HostBridge::restore(ByteReader& reader) {
    ByteReader part = reader.part(kTag, kVersion);
    MutexLock lock(mutex_);
    config_.restore(part);
    if (complete(part)) return {};
    config_.reset();
    return damaged_state(name());
}

}  // namespace carrel::pci
