// The common configuration structure of a virtio-pci function: VIRTIO 1.3, section 4.1.4.3.
#include <cstring>

#include "devices/virtio/pci_transport.h"

namespace carrel::virtio {

// A driver reads each register by its own width (4.1.3.1); any other finds the bytes that lie there.
void PciTransport::read_common(uint64_t offset, std::span<std::byte> data) {
    for (size_t i = 0; i < data.size(); ++i) {
        const uint64_t at = offset + i;
        if (at >= kCommonEnd) return;
        data[i] = static_cast<std::byte>(common(static_cast<uint32_t>(at / 8 * 8)) >> at % 8 * 8);
    }
}

// Eight bytes of the structure from `reg`, a multiple of 8.
uint64_t PciTransport::common(uint32_t reg) const {
    const QueueState* const queue = core_.selected();
    switch (reg) {
        case kDeviceFeatureSelect:
            return core_.device_feature_select | uint64_t{core_.device_feature()} << 32;
        case kDriverFeatureSelect:
            return core_.driver_feature_select | uint64_t{core_.driver_feature()} << 32;
        case kConfigMsixVector:
            return interrupts_.config_vector() | uint64_t{core_.queues()} << 16 |
                   uint64_t{core_.status()} << 32 | uint64_t{generation_.load()} << 40 |
                   uint64_t{core_.queue_select} << 48;
        case kQueueSize:  // 4.1.4.3: a size of 0 is a queue that isn't there
            return uint64_t{queue ? queue->size : 0u} |
                   uint64_t{interrupts_.queue_vector(core_.queue_select)} << 16 |
                   uint64_t{queue && queue->ready} << 32 | uint64_t{core_.queue_select} << 48;
        case kQueueDesc: return queue ? raw(queue->descriptor_area) : 0;
        case kQueueDriver: return queue ? raw(queue->driver_area) : 0;
        case kQueueDevice: return queue ? raw(queue->device_area) : 0;
        default: return 0;
    }
}

// Writes must have the register's width and place (4.1.3.1); 64-bit ones come in halves or whole. Others are
// ignored.
void PciTransport::write_common(uint64_t offset, std::span<const std::byte> data) {
    uint64_t value = 0;
    if (data.size() > sizeof value) return;
    std::memcpy(&value, data.data(), data.size());
    const auto width = data.size();
    const auto area = [&](Gpa QueueState::*which, uint32_t base) REQUIRES(mutex_) {
        if (width == 8 && offset == base) return core_.set_area(which, value, ~uint64_t{0});
        if (width != 4) return;
        const unsigned shift = offset == base ? 0 : 32;
        core_.set_area(which, value << shift, uint64_t{0xffff'ffff} << shift);
    };
    if (width == 4 || width == 8) {
        switch (offset) {
            case kQueueDesc:
            case kQueueDesc + 4: return area(&QueueState::descriptor_area, kQueueDesc);
            case kQueueDriver:
            case kQueueDriver + 4: return area(&QueueState::driver_area, kQueueDriver);
            case kQueueDevice:
            case kQueueDevice + 4: return area(&QueueState::device_area, kQueueDevice);
            default: break;
        }
    }
    if (width == 4) {
        switch (offset) {
            case kDeviceFeatureSelect: core_.device_feature_select = static_cast<uint32_t>(value); return;
            case kDriverFeatureSelect: core_.driver_feature_select = static_cast<uint32_t>(value); return;
            case kDriverFeature: return core_.set_driver_feature(static_cast<uint32_t>(value));
            default: return;
        }
    }
    const auto half = static_cast<uint16_t>(value);
    if (width == 1 && offset == kDeviceStatus) return set_status(static_cast<uint8_t>(value));
    if (width != 2) return;
    switch (offset) {
        case kConfigMsixVector: return interrupts_.set_config_vector(half);
        case kQueueSelect: core_.queue_select = half; return;
        case kQueueSize: return core_.set_size(half);
        case kQueueMsixVector: return interrupts_.set_queue_vector(core_.queue_select, half);
        case kQueueEnable:
            if (half != 1) return;
            core_.enable();
            return bind_doorbells();
        case kQueueReset:  // 4.1.4.3.1: reads as 0 at once, for it is over then
            if (half == 1 && core_.reset_queue()) bind_doorbells();
            return;
        default: return;
    }
}

}  // namespace carrel::virtio
