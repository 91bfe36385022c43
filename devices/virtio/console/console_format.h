// What a console and its driver say to each other. VIRTIO 1.3, sections 5.3.2 to 5.3.4.
#pragma once

#include <cstdint>

#include "devices/virtio/features.h"

namespace carrel::virtio {

// 5.3.2
enum ConsoleQueue : uint16_t { kConsoleReceive = 0, kConsoleTransmit = 1 };

// 5.3.3
inline constexpr uint64_t kConsoleSize = feature(0);
inline constexpr uint64_t kConsoleEmergencyWrite = feature(2);

// 5.3.4
struct ConsoleConfig {
    uint16_t columns;
    uint16_t rows;
    uint32_t ports;            // of VIRTIO_CONSOLE_F_MULTIPORT, which isn't offered
    uint32_t emergency_write;  // -w
};
static_assert(sizeof(ConsoleConfig) == 12);
inline constexpr uint64_t kConsoleEmergencyOffset = 8;

}  // namespace carrel::virtio
