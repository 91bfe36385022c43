// A virtual machine with one vCPU for tests of vmm/kvm, where there is a /dev/kvm.
#pragma once

#include <iostream>
#include <memory>
#include <optional>

#include "vmm/base/opener.h"
#include "vmm/kvm/kvm.h"
#include "vmm/kvm/vcpu.h"
#include "vmm/kvm/vm.h"
#include "vmm/memory/guest_memory.h"

namespace carrel::test {

struct KvmRig {
    std::unique_ptr<GuestMemory> memory;
    std::unique_ptr<kvm::Vm> vm;
    std::unique_ptr<kvm::Vcpu> vcpu;
};

inline Result<KvmRig> make_kvm_rig(const kvm::Kvm& kvm) {
    KvmRig rig;
    TRY_ASSIGN(rig.memory, GuestMemory::create(RamMap::of_size(2 * kMiB), MemoryBacking::kAnonymous));
    TRY_ASSIGN(rig.vm, kvm.create_vm());
    TRY(rig.vm->place_intel_pages());
    TRY(rig.vm->map(*rig.memory));
    TRY(rig.vm->create_irqchip());
    TRY_ASSIGN(rig.vcpu, rig.vm->create_vcpu(0));
    TRY_ASSIGN(const CpuidTable cpuid, kvm.supported_cpuid());
    TRY(rig.vcpu->set_cpuid(cpuid));
    return rig;
}

// Nothing, after a line that says why, where this host has no usable KVM.
inline std::optional<KvmRig> kvm_rig(const char* test) {
    DirectOpener opener;
    auto kvm = kvm::Kvm::open(opener);
    if (!kvm.ok()) {
        std::cout << "SKIP " << test << ": " << kvm.error().sentence() << "\n";
        return std::nullopt;
    }
    auto rig = make_kvm_rig(*kvm);
    if (rig.ok()) return std::move(*rig);
    std::cout << "SKIP " << test << ": " << rig.error().sentence() << "\n";
    return std::nullopt;
}

}  // namespace carrel::test
