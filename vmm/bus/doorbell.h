// Doorbell: a register whose writes ring an eventfd in the kernel, so that the vCPU doesn't leave the guest.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "vmm/base/result.h"
#include "vmm/model/machine_description.h"

namespace carrel {

// Its life is the binding's: afterwards, writes come through the Bus again.
class Doorbell {
  public:
    virtual ~Doorbell() = default;
};

// Where they come from. Any thread, a device's mutex may be held. Outlives what it gave.
class Doorbells {
  public:
    virtual ~Doorbells() = default;
    // Writes to `address` add one to `event_fd` and are gone: of their value and width nothing is left. Only
    // writes of `size` bytes (1, 2, 4 or 8) that begin at `address` and, where `match` is given, have that
    // value; everything else goes to the Bus as before, so that a device has one handler with two entrances.
    // `size` 0: of any width, without `match`; the fastest. But KVM doesn't look then whether it was a read:
    // one may ring, too, and give the guest whatever its register held. The eventfd stays the caller's and
    // outlives the binding.
    //
    // Two that would answer the same write are an Error. Unbinding may wait for the kernel for milliseconds
    // (measured: 0.1 to 0.2, on a busy host 10): bind once a queue is enabled, and move only what has moved,
    // not at each change of a command register.
    virtual Result<std::unique_ptr<Doorbell>> bind(AddressSpace space, uint64_t address, uint32_t size,
                                                   std::optional<uint64_t> match, int event_fd) = 0;
};

}  // namespace carrel
