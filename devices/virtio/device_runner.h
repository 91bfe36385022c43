// DeviceRunner: whose thread a device works on, and how it is woken.
#pragma once

#include <cstdint>

namespace carrel::virtio {

// It calls the device's notify() after a ring, and wake() when the device's own event_fd() has been rung.
class DeviceRunner {
  public:
    virtual ~DeviceRunner() = default;  // the device isn't called any more
    // There may be chains in this queue. Any thread. A queue that doesn't exist: nothing.
    virtual void ring(uint16_t queue) const = 0;
    // The eventfd that does the same: for KVM to ring when the guest writes the doorbell (ioeventfd). Queues
    // may share one.
    virtual int fd(uint16_t queue) const = 0;
};

}  // namespace carrel::virtio
