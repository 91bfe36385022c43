// BarSpace: whoever owns the address space that BARs are decoded in.
#pragma once

#include <cstdint>
#include <optional>

#include "vmm/bus/device.h"
#include "vmm/model/machine_description.h"

namespace carrel::pci {

class BarSpace {
  public:
    virtual ~BarSpace() = default;
    // From now on `registers` answers at [base, base + size), or nowhere. A place that RAM or another device
    // has isn't given: `registers` answers nowhere then, until its next move. True: it answers. vCPU threads,
    // the function's mutex held; never waits.
    virtual bool place(Device& registers, AddressSpace space, std::optional<uint64_t> base,
                       uint64_t size) = 0;
};

}  // namespace carrel::pci
