// MessageInterrupt: an interrupt that a device raises by a message (PCI Local Bus Specification 3.0, 6.8: MSI
// and MSI-X), with the guest's own choice of what the message says.
#pragma once

#include <cstdint>
#include <memory>

#include "vmm/base/result.h"

namespace carrel {

// What a function's MSI registers or an entry of its MSI-X table hold (6.8.1, 6.8.2): the write that the
// interrupt is.
struct MsiMessage {
    uint64_t address = 0;
    uint32_t data = 0;
    bool operator==(const MsiMessage&) const = default;
};

// One vector of one function. Not routed at first. Destroying it gives everything back; no signal() may be
// under way then.
//
// None of it is saved: a function restores its own messages and routes them again.
class MessageInterrupt {
  public:
    virtual ~MessageInterrupt() = default;

    // From now on signal() sends `message`. On a vCPU thread, the function's mutex held; takes some ten
    // microseconds, and nothing where the message is what it was. A message to no processor is the guest's
    // affair, not an error: it goes nowhere. On an error (the host's) the interrupt isn't routed.
    virtual Result<void> route(const MsiMessage& message) = 0;
    // A signal is dropped from now on. Masking is the function's: it keeps the pending bit (6.8.2.10) and
    // doesn't signal.
    virtual void unroute() = 0;

    // Any thread, also while it is routed; the hot path: one write(2), nothing allocated, never blocks.
    virtual void signal() noexcept = 0;
    // An eventfd that does the same when it is written to: for vhost, or io_uring. Not to be closed or read.
    // What is written to it while nothing is routed is dropped too, or comes late, if it is routed soon.
    virtual int descriptor() const = 0;
};

// Where they come from. Any thread. Outlives what it gave.
class MessageInterrupts {
  public:
    virtual ~MessageInterrupts() = default;
    virtual Result<std::unique_ptr<MessageInterrupt>> create() = 0;
};

}  // namespace carrel
