// CoalescedWrites: brings what KVM collected (vmm/kvm/coalesced_ring.h) to the devices, in the guest's order.
//
// Two rules make a collected write look like any other (devices/serial.h): the ring is emptied after every
// exit, before the exit is handled, and an entry leaves the ring only when it has been delivered, so that
// whoever finds the ring empty may rely on it.
#pragma once

#include <cstdint>
#include <vector>

#include "vmm/base/mutex.h"
#include "vmm/bus/bus.h"
#include "vmm/bus/transmit_coalescing.h"
#include "vmm/kvm/vm.h"

namespace carrel {

class CoalescedWrites {
  public:
    // All outlive it.
    CoalescedWrites(kvm::Vm& vm, Bus& ports, Bus& mmio) : vm_(vm), ports_(ports), mmio_(mmio) {}

    // What is written in `zone` goes to `target` as runs of bytes, many in one call; everything else goes to
    // its bus, one by one. Before the vCPUs run. `target` outlives this.
    void add_stream(const kvm::CoalescedZone& zone, TransmitRegister& target);

    // Any thread that holds no device's mutex; cheap when there is nothing.
    void drain() EXCLUDES(mutex_);
    // How many writes have been delivered.
    uint64_t delivered() const EXCLUDES(mutex_);

  private:
    struct Stream {
        kvm::CoalescedZone zone;
        TransmitRegister* target;
    };
    uint32_t deliver_some(const kvm::CoalescedRing& ring) REQUIRES(mutex_);
    uint32_t deliver_run(const kvm::CoalescedRing& ring, const Stream& stream) REQUIRES(mutex_);

    kvm::Vm& vm_;
    Bus& ports_;
    Bus& mmio_;
    std::vector<Stream> streams_;
    mutable Mutex mutex_;  // taken before any device's mutex
    uint64_t delivered_ GUARDED_BY(mutex_) = 0;
};

}  // namespace carrel
