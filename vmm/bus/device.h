// Device: what answers at a range of ports or guest-physical addresses.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "vmm/base/bytes.h"
#include "vmm/base/result.h"

namespace carrel {

// Offsets are relative to the range the device is attached at: a device doesn't know its base, so a moved BAR
// is nobody's concern. read and write come from any vCPU thread at any time, also two at once: each device
// has one mutex of its own and holds it for the length of the call, never across a wait.
//
// A guest may use any width at any offset inside the range. Widths that a register doesn't have are legal:
// the device does what the hardware would, or gives all ones, and never fails.
class Device {
  public:
    virtual ~Device() = default;

    // For traces and messages: "serial", "rtc".
    virtual std::string_view name() const = 0;
    // Fills all of `data` (1, 2, 4 or 8 bytes; the range begins inside the device).
    virtual void read(uint64_t offset, std::span<std::byte> data) = 0;
    virtual void write(uint64_t offset, std::span<const std::byte> data) = 0;

    // Back to the state after power-on; wiring stays.
    virtual void reset() {}
    // All that a guest can see of the device, as one part (bytes.h). Called with all vCPUs stopped.
    virtual void save(ByteWriter&) const {}
    // The opposite. The bytes are hostile: on an error the device is as after reset(). Re-asserts its
    // interrupt line.
    virtual Result<void> restore(ByteReader&) { return {}; }
};

// A read that nobody answers (x86 buses float high).
inline void fill_ones(std::span<std::byte> data) {
    for (std::byte& byte : data) byte = std::byte{0xff};
}

}  // namespace carrel
