// CoalescedWrites: brings what KVM collected (vmm/kvm/coalesced_ring.h) to the devices, in the guest's order.
//
// Two rules make a collected write look like any other (devices/serial.h): the ring is emptied after every
// exit, before the exit is handled, and an entry leaves the ring only when it has been delivered, so that
// whoever finds the ring empty may rely on it.
#pragma once

#include <cstdint>

#include "devices/serial.h"
#include "vmm/base/mutex.h"
#include "vmm/bus/bus.h"
#include "vmm/kvm/vm.h"

namespace carrel {

class CoalescedWrites {
  public:
    // All outlive it. Writes to `serial_port` go to `serial`, many in one call; the others to `ports`, one by
    // one.
    CoalescedWrites(kvm::Vm& vm, Bus& ports, uint16_t serial_port, Serial& serial)
        : vm_(vm), ports_(ports), serial_port_(serial_port), serial_(serial) {}

    // Any thread that holds no device's mutex; cheap when there is nothing.
    void drain() EXCLUDES(mutex_);
    // How many writes have been delivered.
    uint64_t delivered() const EXCLUDES(mutex_);

  private:
    uint32_t deliver_some(const kvm::CoalescedRing& ring) REQUIRES(mutex_);

    kvm::Vm& vm_;
    Bus& ports_;
    const uint16_t serial_port_;
    Serial& serial_;
    mutable Mutex mutex_;  // taken before any device's mutex
    uint64_t delivered_ GUARDED_BY(mutex_) = 0;
};

}  // namespace carrel
