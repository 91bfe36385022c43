// ScanCoalescing: halves the exits of a guest's scan of the PCI bus.
//
// Each access to configuration space is a write of the address to 0xcf8 and one of the data ports
// (devices/pci/ config_ports.h). The address alone has no effect, and what a write of data changes (a BAR, a
// command bit) matters only to an access that leaves the guest itself: KVM may collect both. KVM's zones know
// no widths, though: the byte write of the reset register at 0xcf9 is taken too, and then waits for the next
// exit of any kind or for our tick. So this is done for the first seconds only, in which a guest scans; after
// that a reset is at once again.
#pragma once

#include <cstdint>

#include "vmm/base/clock.h"
#include "vmm/base/event_loop.h"
#include "vmm/kvm/vm.h"
#include "vmm/machine/coalesced_writes.h"

namespace carrel {

// io thread, or before it runs.
class ScanCoalescing {
  public:
    ScanCoalescing(kvm::Vm& vm, EventLoop& io, CoalescedWrites& writes);
    ~ScanCoalescing();
    ScanCoalescing(const ScanCoalescing&) = delete;
    ScanCoalescing& operator=(const ScanCoalescing&) = delete;

  private:
    void tick();
    void set_registered(bool on);

    kvm::Vm& vm_;
    EventLoop& io_;
    CoalescedWrites& writes_;
    bool registered_ = false;
    uint32_t ticks_left_;
    uint64_t timer_ = 0;
};

}  // namespace carrel
