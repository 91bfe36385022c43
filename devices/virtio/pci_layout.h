// What a virtio-pci function looks like: its BAR, its registers, its capabilities. VIRTIO 1.3, section 4.1.
//
//   BAR 0, 32 KiB
//   0000 ┌──────────────────────┐
//        │ common configuration │ CommonRegister
//   1000 ├──────────────────────┤
//        │ ISR status           │ one byte
//   2000 ├──────────────────────┤
//        │ device configuration │ what the device's own section says
//   3000 ├──────────────────────┤
//        │ doorbells            │ one of 4 bytes for each queue
//   4000 ├──────────────────────┤
//        │ MSI-X table          │
//   5000 ├──────────────────────┤
//        │ MSI-X pending bits   │
//   6000 ├──────────────────────┤
//        │ nothing              │ reads give zeros
//   8000 └──────────────────────┘
//
//   BAR 1, 4 ports: the doorbells again, one for all queues, each of which writes its number. KVM needs no
//   instruction decoded to know what a port was written with: 2.2 µs less for each ring on Debian 12's
//   kvm_amd (tools/bench blk). Intel's has a fast way for both.
//
// A page each, so that whoever maps one of them into another process maps nothing else.
#pragma once

#include <cstdint>

namespace carrel::virtio {

inline constexpr uint32_t kBarSize = 0x8000;
inline constexpr uint32_t kPart = 0x1000;
inline constexpr uint32_t kCommonPart = 0x0000;
inline constexpr uint32_t kIsrPart = 0x1000;
inline constexpr uint32_t kDevicePart = 0x2000;
inline constexpr uint32_t kDoorbellPart = 0x3000;
inline constexpr uint32_t kMsixTablePart = 0x4000;
inline constexpr uint32_t kMsixPendingPart = 0x5000;
inline constexpr uint32_t kDoorbellSize = 4;   // notify_off_multiplier, 4.1.4.4
inline constexpr uint16_t kDoorbellPorts = 4;  // the size of BAR 1; its multiplier is 0

// 4.1.2: vendor, and 0x1040 + the device's type; 4.1.2.1: revision 1 or more.
inline constexpr uint16_t kVirtioVendor = 0x1af4;
inline constexpr uint16_t kVirtioDeviceBase = 0x1040;
inline constexpr uint8_t kVirtioRevision = 1;

// 4.1.4.3, struct virtio_pci_common_cfg
enum CommonRegister : uint32_t {
    kDeviceFeatureSelect = 0x00,  // rw 32
    kDeviceFeature = 0x04,        // r- 32
    kDriverFeatureSelect = 0x08,  // rw 32
    kDriverFeature = 0x0c,        // rw 32
    kConfigMsixVector = 0x10,     // rw 16
    kNumQueues = 0x12,            // r- 16
    kDeviceStatus = 0x14,         // rw 8
    kConfigGeneration = 0x15,     // r- 8
    kQueueSelect = 0x16,          // rw 16
    kQueueSize = 0x18,            // rw 16
    kQueueMsixVector = 0x1a,      // rw 16
    kQueueEnable = 0x1c,          // rw 16
    kQueueNotifyOff = 0x1e,       // r- 16
    kQueueDesc = 0x20,            // rw 64, as two of 32
    kQueueDriver = 0x28,          // rw 64
    kQueueDevice = 0x30,          // rw 64
    kQueueNotifyData = 0x38,      // r- 16, 0: only with VIRTIO_F_NOTIF_CONFIG_DATA, which isn't offered
    kQueueReset = 0x3a,           // rw 16
    kCommonEnd = 0x3c,            // what follows needs a feature that we don't offer
};

// 4.1.4, cfg_type of struct virtio_pci_cap
enum class CapabilityType : uint8_t { kCommon = 1, kNotify = 2, kIsr = 3, kDevice = 4, kPciAccess = 5 };

}  // namespace carrel::virtio
