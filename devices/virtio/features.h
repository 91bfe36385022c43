// Feature bits and the device status that all devices share. VIRTIO 1.3, sections 2.1, 2.2 and 6.
#pragma once

#include <cstdint>

namespace carrel::virtio {

constexpr uint64_t feature(unsigned bit) {
    return uint64_t{1} << bit;
}
inline constexpr uint64_t kIndirectDesc = feature(28);  // VIRTIO_F_INDIRECT_DESC
inline constexpr uint64_t kEventIdx = feature(29);      // VIRTIO_F_EVENT_IDX
inline constexpr uint64_t kVersion1 = feature(32);      // VIRTIO_F_VERSION_1
inline constexpr uint64_t kRingPacked = feature(34);    // VIRTIO_F_RING_PACKED
inline constexpr uint64_t kRingReset = feature(40);     // VIRTIO_F_RING_RESET
// Those of the queues, which every transport offers besides the device's own; kRingPacked where it is asked
// for.
inline constexpr uint64_t kQueueFeatures = kIndirectDesc | kEventIdx | kRingReset;
constexpr uint64_t offered_queue_features(bool packed_rings) {
    return kQueueFeatures | (packed_rings ? kRingPacked : 0);
}

// 2.1
enum Status : uint8_t {
    kAcknowledge = 1,
    kDriver = 2,
    kDriverOk = 4,
    kFeaturesOk = 8,
    kNeedsReset = 64,
    kFailed = 128,
};

// 5: what a device is.
enum class DeviceType : uint16_t {
    kNet = 1,
    kBlock = 2,
    kConsole = 3,
    kEntropy = 4,
    kBalloon = 5,
    kVsock = 19
};

}  // namespace carrel::virtio
