// Function: one function of a PCI device, seen from configuration space.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "vmm/base/bytes.h"
#include "vmm/base/result.h"

namespace carrel::pci {

// Calls come from any vCPU thread, also two at once: each function has one mutex of its own.
class Function {
  public:
    virtual ~Function() = default;

    // For traces and messages.
    virtual std::string_view name() const = 0;
    // `offset` is below kExtendedSize, and `data` is 1 to 4 bytes inside one aligned dword. Beyond the
    // function's own space a read gives all ones and a write is ignored.
    virtual void read_config(uint32_t offset, std::span<std::byte> data) = 0;
    virtual void write_config(uint32_t offset, std::span<const std::byte> data) = 0;

    // As vmm/bus/device.h has them.
    virtual void reset() = 0;
    virtual void save(ByteWriter& writer) const = 0;
    virtual Result<void> restore(ByteReader& reader) = 0;
};

}  // namespace carrel::pci
