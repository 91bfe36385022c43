// How a guest reaches its virtio devices.
#pragma once

#include <cstdint>

namespace carrel {

// The numbers are part of saved state.
enum class Transport : uint8_t {
    kNone = 0,  // not a virtio device
    kPci = 1,   // a PCI function
    kMmio = 2,  // a page of registers and an interrupt line, for guests without PCI
};

}  // namespace carrel
