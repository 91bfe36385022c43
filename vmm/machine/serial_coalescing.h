// SerialCoalescing: lets KVM collect the bytes of a polled UART instead of leaving the guest for each.
//
// KVM gives no sign when a byte is collected, and a guest that writes one and halts never exits: so while the
// zone is registered, a timer on the io thread empties the ring every few milliseconds; a quiet second
// unregisters it again, and an idle guest costs no wake-up.
#pragma once

#include <cstdint>
#include <memory>

#include "vmm/base/clock.h"
#include "vmm/base/event_loop.h"
#include "vmm/base/mutex.h"
#include "vmm/bus/transmit_coalescing.h"
#include "vmm/kvm/vm.h"
#include "vmm/machine/coalesced_writes.h"

namespace carrel {

class SerialCoalescing final : public TransmitCoalescing {
  public:
    // All outlive it, but for `io`'s timer, which stop() cancels. `zone` is the UART's transmit register.
    SerialCoalescing(kvm::Vm& vm, EventLoop& io, CoalescedWrites& writes, const kvm::CoalescedZone& zone)
        : vm_(vm), io_(io), writes_(writes), zone_(zone) {}

    // io thread, before destruction.
    void stop() EXCLUDES(state_mutex_);

    // From the UART, under its mutex, on a vCPU thread: whether a deferred write does no harm now.
    void enable(bool safe) override EXCLUDES(state_mutex_);
    // A vCPU thread has left the guest for one transmitted byte.
    void note_exit() override EXCLUDES(state_mutex_);

  private:
    void set_registered(bool on) REQUIRES(state_mutex_);
    void arm_soon();
    void arm();
    void tick();
    bool still_registered() EXCLUDES(state_mutex_);

    kvm::Vm& vm_;
    EventLoop& io_;
    CoalescedWrites& writes_;
    const kvm::CoalescedZone zone_;
    uint64_t timer_ = 0;  // io thread only
    // A posted task may come after the end of this (a rebuild, a restart), and then does nothing.
    const std::shared_ptr<char> alive_ = std::make_shared<char>();
    uint32_t quiet_ticks_ = 0;
    Mutex state_mutex_;  // taken last
    bool safe_ GUARDED_BY(state_mutex_) = false;
    bool registered_ GUARDED_BY(state_mutex_) = false;
    bool stopped_ GUARDED_BY(state_mutex_) = false;
    uint32_t burst_ GUARDED_BY(state_mutex_) = 0;
};

}  // namespace carrel
