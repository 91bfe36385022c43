// SerialCoalescing: lets KVM collect the bytes of a polled UART instead of leaving the guest for each.
//
// KVM gives no sign when a byte is collected, and a guest that writes one and halts never exits: so while the
// zone is registered, a timer on the io thread empties the ring every few milliseconds; a quiet second
// unregisters it again, and an idle guest costs no wake-up.
#pragma once

#include <cstdint>

#include "devices/serial.h"
#include "vmm/base/clock.h"
#include "vmm/base/event_loop.h"
#include "vmm/base/mutex.h"
#include "vmm/bus/transmit_coalescing.h"
#include "vmm/kvm/vm.h"

namespace carrel {

class SerialCoalescing final : public TransmitCoalescing {
  public:
    // All outlive it, but for `io`'s timer, which stop() cancels. `port` is the UART's transmit register.
    SerialCoalescing(kvm::Vm& vm, EventLoop& io, uint16_t port) : vm_(vm), io_(io), port_(port) {}

    void attach(Serial& serial) { serial_ = &serial; }
    // io thread, before destruction.
    void stop() EXCLUDES(state_mutex_);

    // From the UART, under its mutex, on a vCPU thread: whether a deferred write does no harm now.
    void enable(bool safe) override EXCLUDES(state_mutex_);
    // A vCPU thread has left the guest for one transmitted byte.
    void note_transmit_exit() EXCLUDES(state_mutex_);
    // Gives what KVM collected to the UART. Any thread without the UART's mutex; cheap when there is nothing.
    void drain() EXCLUDES(drain_mutex_);

  private:
    void set_registered(bool on) REQUIRES(state_mutex_);
    void arm();
    void tick();
    bool still_registered() EXCLUDES(state_mutex_);
    uint64_t drained() EXCLUDES(drain_mutex_);

    kvm::Vm& vm_;
    EventLoop& io_;
    const uint16_t port_;
    Serial* serial_ = nullptr;
    uint64_t timer_ = 0;  // io thread only
    uint32_t quiet_ticks_ = 0;
    Mutex drain_mutex_;  // taken before the UART's mutex
    uint64_t drained_ GUARDED_BY(drain_mutex_) = 0;
    Mutex state_mutex_;  // taken last
    bool safe_ GUARDED_BY(state_mutex_) = false;
    bool registered_ GUARDED_BY(state_mutex_) = false;
    bool stopped_ GUARDED_BY(state_mutex_) = false;
    uint32_t burst_ GUARDED_BY(state_mutex_) = 0;
};

}  // namespace carrel
