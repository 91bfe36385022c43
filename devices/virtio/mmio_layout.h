// What a virtio-mmio device looks like: a page of memory. VIRTIO 1.3, section 4.2.2.
//
//   000 ┌──────────────────────┐
//       │ control registers    │ MmioRegister, of 32 bits each
//   100 ├──────────────────────┤
//       │ device configuration │ what the device's own section says
//  1000 └──────────────────────┘
#pragma once

#include <cstdint>

namespace carrel::virtio {

inline constexpr uint32_t kMmioSize = 0x1000;
inline constexpr uint32_t kMmioConfig = 0x100;
inline constexpr uint32_t kMmioMagic = 0x7472'6976;  // "virt"
inline constexpr uint32_t kMmioVersion = 2;          // 1 is legacy (4.2.4)

// Table 4.1. What is only written reads as zero.
enum class MmioRegister : uint32_t {
    kMagicValue = 0x000,         // r-
    kVersion = 0x004,            // r-
    kDeviceId = 0x008,           // r-
    kVendorId = 0x00c,           // r-
    kDeviceFeatures = 0x010,     // r-
    kDeviceFeaturesSel = 0x014,  // -w
    kDriverFeatures = 0x020,     // -w
    kDriverFeaturesSel = 0x024,  // -w
    kQueueSel = 0x030,           // -w
    kQueueSizeMax = 0x034,       // r-, 0: no such queue
    kQueueSize = 0x038,          // -w
    kQueueReady = 0x044,         // rw
    kQueueNotify = 0x050,        // -w, the queue's number: a doorbell
    kInterruptStatus = 0x060,    // r-
    kInterruptAck = 0x064,       // -w, bits to clear
    kStatus = 0x070,             // rw
    kQueueDescLow = 0x080,       // -w
    kQueueDescHigh = 0x084,      // -w
    kQueueDriverLow = 0x090,     // -w
    kQueueDriverHigh = 0x094,    // -w
    kQueueDeviceLow = 0x0a0,     // -w
    kQueueDeviceHigh = 0x0a4,    // -w
    kShmLenLow = 0x0b0,          // r-, all ones: there is no such region
    kShmLenHigh = 0x0b4,         // r-
    kShmBaseLow = 0x0b8,         // r-
    kShmBaseHigh = 0x0bc,        // r-
    kQueueReset = 0x0c0,         // rw, reads 0: a reset is over when the write is
    kConfigGeneration = 0x0fc,   // r-
};

}  // namespace carrel::virtio
