// MsiRoutes: MSIs of the devices over KVM. Each is a GSI of its own with
//
//   an irqfd:  a write to the eventfd raises the GSI                    KVM_IRQFD (4.75)
//   a route:   what raising the GSI means: this message                 KVM_SET_GSI_ROUTING (4.52)
//
// The table of routes is set as a whole. It begins with the routes that KVM itself makes with the interrupt
// chips, to PIC and IOAPIC, for GSIs 0 to 23: a table without them would cut those off.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "vmm/base/mutex.h"
#include "vmm/bus/message_interrupt.h"

namespace carrel::kvm {

class MsiRoutes final : public MessageInterrupts {
  public:
    // `routes`: KVM_CAP_IRQ_ROUTING's count, how many the table may have; 0 where KVM lacks that or irqfds.
    MsiRoutes(int vm, uint32_t routes) : vm_(vm), most_(routes) {}
    MsiRoutes(const MsiRoutes&) = delete;
    MsiRoutes& operator=(const MsiRoutes&) = delete;
    ~MsiRoutes() override = default;

    // After the interrupt chips. Errors: all GSIs are taken, the limit on open files.
    Result<std::unique_ptr<MessageInterrupt>> create() override EXCLUDES(mutex_);
    // See Vm::leave_wiring_to_kernel().
    void leave_to_kernel() EXCLUDES(mutex_);

  private:
    class Interrupt;
    struct Place {  // of one GSI
        bool taken = false;
        std::optional<MsiMessage> message;
    };
    Result<void> route(uint32_t gsi, const std::optional<MsiMessage>& message) EXCLUDES(mutex_);
    void give_back(uint32_t gsi, int event_fd) EXCLUDES(mutex_);
    Result<uint32_t> free_place() REQUIRES(mutex_);
    Result<void> commit() REQUIRES(mutex_);
    Place& place_of(uint32_t gsi) REQUIRES(mutex_);

    const int vm_;
    const uint32_t most_;
    Mutex mutex_;                                   // taken inside a function's
    std::vector<Place> places_ GUARDED_BY(mutex_);  // of GSIs kFirstGsi and up
    bool stale_ GUARDED_BY(mutex_) = false;         // KVM's table has a route that ours has no more
    bool left_ GUARDED_BY(mutex_) = false;
};

}  // namespace carrel::kvm
