// KvmDoorbells: doorbells as ioeventfds of KVM.
#pragma once

#include <atomic>

#include "vmm/bus/doorbell.h"

namespace carrel::kvm {

class KvmDoorbells final : public Doorbells {
  public:
    // `any_length`: KVM_CAP_IOEVENTFD_ANY_LENGTH.
    KvmDoorbells(int vm, bool any_length) : vm_(vm), any_length_(any_length) {}
    KvmDoorbells(const KvmDoorbells&) = delete;
    KvmDoorbells& operator=(const KvmDoorbells&) = delete;
    ~KvmDoorbells() override = default;

    // KVM_IOEVENTFD (4.59).
    Result<std::unique_ptr<Doorbell>> bind(AddressSpace space, uint64_t address, uint32_t size,
                                           std::optional<uint64_t> match, int event_fd) override;
    // See Vm::leave_wiring_to_kernel().
    void leave_to_kernel() { left_.store(true, std::memory_order_relaxed); }

  private:
    class Binding;
    const int vm_;
    const bool any_length_;
    std::atomic<bool> left_{false};
};

}  // namespace carrel::kvm
