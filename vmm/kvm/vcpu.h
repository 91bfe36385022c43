// Vcpu: one virtual processor and its kvm_run page.
#pragma once

#include <linux/kvm.h>
#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <vector>

#include "vmm/base/bytes.h"
#include "vmm/base/fd.h"
#include "vmm/base/kick.h"
#include "vmm/base/mapping.h"
#include "vmm/base/result.h"
#include "vmm/kvm/exit.h"
#include "vmm/model/cpu_state_x86.h"
#include "vmm/model/cpuid_x86.h"

namespace carrel::kvm {

// KVM wants every call but kick() on one thread, or at least never two at once: setup on the builder's
// thread, then the vCPU's own.
class Vcpu final : public Kick {
  public:
    Vcpu(Fd fd, Mapping run, uint32_t id);

    uint32_t id() const { return id_; }
    Result<void> set_cpuid(const CpuidTable& table);  // KVM_SET_CPUID2 (4.47); once, before the first run
    Result<void> set_tsc_khz(uint32_t khz);           // KVM_SET_TSC_KHZ (4.55)
    Result<uint32_t> tsc_khz() const;                 // KVM_GET_TSC_KHZ (4.56)
    Result<uint64_t> msr(uint32_t index) const;       // KVM_GET_MSRS (4.18)
    Result<void> set_msr(uint32_t index, uint64_t value);  // KVM_SET_MSRS (4.19)
    Result<void> set_xcr0(uint64_t value);                 // KVM_SET_XCRS (4.38)
    Result<void> load(const CpuState& state);              // registers of the boot protocol
    Result<kvm_regs> regs() const;                         // KVM_GET_REGS (4.11)
    Result<kvm_sregs> sregs() const;                       // KVM_GET_SREGS (4.13)
    // Guest-virtual to guest-physical through the guest's own tables, KVM_TRANSLATE (4.15).
    std::optional<Gpa> translate(uint64_t linear) const;

    // Everything of this vCPU that a guest can see; see vcpu_state_x86.cpp for the order of restoring.
    Result<void> save(ByteWriter& writer, const std::vector<uint32_t>& msr_list) const;
    Result<void> restore(ByteReader& reader);

    // The guest has halted it, or it waits for another's INIT; vCPU stopped. KVM_GET_MP_STATE (4.38).
    bool is_halted() const;

    // The guest was stopped from outside: its watchdogs take no offence at the gap. KVM_KVMCLOCK_CTRL (4.81);
    // vCPU stopped.
    void tell_paused();

    // Runs until an exit. The calling thread becomes the one that kick() reaches.
    Exit run();
    // Finishes a port or MMIO access that userspace has answered, without running guest code: KVM_RUN once
    // with immediate_exit set. After it the registers are whole.
    Exit complete_pending_access();

    // Binds kick() to the calling thread; until then a kick only sets immediate_exit.
    void bind_to_this_thread();
    void unbind();
    void kick() override;
    // Only on the vCPU's thread: takes back a kick before the next run().
    void clear_kick() { __atomic_store_n(&run_page()->immediate_exit, 0, __ATOMIC_RELAXED); }

    uint64_t exits() const { return exits_.load(std::memory_order_relaxed); }
    int fd() const { return fd_.get(); }

  private:
    kvm_run* run_page() const { return reinterpret_cast<kvm_run*>(run_.data()); }
    bool waits_for_init() const;
    Exit decode() const;
    Exit decode_port() const;
    FailedExit decode_failure() const;

    Fd fd_;
    Mapping run_;
    uint32_t id_;
    static constexpr uint32_t kMostAgain = 1000;
    uint32_t again_ = 0;              // EAGAIN in a row
    std::atomic<uint64_t> exits_{0};  // to userspace
    std::atomic<pid_t> thread_{0};    // 0: none is bound
};

// Installs the process's handler for signals::kick(): it sets the immediate_exit byte of the vCPU whose
// thread the signal reaches. Idempotent.
void install_kick_handler();

}  // namespace carrel::kvm
