// TinyGuest: a virtual machine of 2 MiB in which a few instructions can be tried, in 64-bit ring 0.
//
//   0x01000  PML4, PDPT, PD: the first 2 MiB, one to one
//   0x04000  IDT: #BP only
//   0x05000  GDT
//   0x08000  #BP handler
//   0x0f000  top of the stack
//   0x10000  data, two pages of zeroes
//   0x20000  code, up to the end
#pragma once

#include <memory>
#include <span>

#include "vmm/base/clock.h"
#include "vmm/base/mutex.h"
#include "vmm/base/thread.h"
#include "vmm/kvm/kvm.h"
#include "vmm/kvm/vm.h"
#include "vmm/memory/guest_memory.h"

namespace carrel::app {

// One thread. No irqchip, no device.
class TinyGuest {
  public:
    static Result<std::unique_ptr<TinyGuest>> create(const kvm::Kvm& kvm);
    TinyGuest(std::unique_ptr<GuestMemory> memory, std::unique_ptr<kvm::Vm> vm, CpuidTable cpuid);

    // A vCPU at the beginning of `code`, RCX as given.
    Result<std::unique_ptr<kvm::Vcpu>> start(std::span<const std::byte> code, uint64_t rcx = 0);

    // Whether the guest's CPUID offers a feature: one bit of leaf 1's ECX.
    bool offers(uint32_t leaf1_ecx_bit) const;
    const GuestMemory& memory() const { return *memory_; }

  private:
    Result<void> write_tables();

    std::unique_ptr<GuestMemory> memory_;
    std::unique_ptr<kvm::Vm> vm_;
    CpuidTable cpuid_;
    uint32_t next_vcpu_ = 0;
};

// Kicks a vCPU out of KVM_RUN when its time is up, so that nothing hangs. The calling thread must be the
// vCPU's.
class Watchdog {
  public:
    static Result<std::unique_ptr<Watchdog>> start(kvm::Vcpu& vcpu, Nanoseconds patience);
    Watchdog(kvm::Vcpu& vcpu, Nanoseconds patience) : vcpu_(vcpu), patience_(patience) {}
    ~Watchdog();
    Watchdog(const Watchdog&) = delete;
    Watchdog& operator=(const Watchdog&) = delete;

  private:
    void wait();

    kvm::Vcpu& vcpu_;
    Nanoseconds patience_;
    Mutex mutex_;
    Condition condition_;
    bool done_ GUARDED_BY(mutex_) = false;
    Thread thread_;
};

}  // namespace carrel::app
