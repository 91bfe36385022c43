// Vm: one virtual machine's file descriptor: memory slots, interrupt chips, vCPUs.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "vmm/base/bytes.h"
#include "vmm/base/fd.h"
#include "vmm/base/result.h"
#include "vmm/bus/irq_line.h"
#include "vmm/kvm/coalesced_ring.h"
#include "vmm/kvm/doorbells.h"
#include "vmm/kvm/irq_pins.h"
#include "vmm/kvm/msi_routes.h"
#include "vmm/kvm/vcpu.h"
#include "vmm/memory/guest_memory.h"

namespace carrel::kvm {

// Ports, or guest-physical addresses, of which KVM may collect the writes.
struct CoalescedZone {
    bool port = false;
    uint64_t base = 0;
    uint32_t size = 0;
};

// What the system has that a Vm uses where it is there.
struct VmAbilities {
    size_t run_size = 0;
    bool coalesced_pio = false;         // KVM_CAP_COALESCED_PIO
    uint32_t irq_routes = 0;            // KVM_CAP_IRQ_ROUTING, with KVM_CAP_IRQFD
    bool ioeventfd_any_length = false;  // KVM_CAP_IOEVENTFD_ANY_LENGTH
};

// Built on one thread; irq lines, message interrupts, doorbells and the coalesced zone then from any.
class Vm {
  public:
    Vm(Fd fd, const VmAbilities& abilities);  // use Kvm::create_vm()
    Vm(const Vm&) = delete;
    Vm& operator=(const Vm&) = delete;
    ~Vm();

    // One memory slot a region, KVM_SET_USER_MEMORY_REGION (4.35). `memory` outlives the Vm.
    Result<void> map(const GuestMemory& memory);
    // `page` at `base`, which the guest may read without an exit; a write is an exit
    // (KVM_MEM_READONLY, 4.35). `page` outlives the Vm. KVM_CAP_READONLY_MEM.
    Result<void> map_read_only(Gpa base, std::span<const std::byte> page);
    // PIC, IOAPIC and local APICs in the kernel, and a PIT whose port 0x61 is a dummy there too (4.24, 4.71).
    // Before any vCPU. A split irqchip costs hundreds of exits a boot.
    Result<void> create_irqchip();
    // The 8259s take this pin by its level (ELCR), as firmware sets what isn't ISA's. Beyond their pins:
    // nothing.
    Result<void> set_level(uint32_t gsi);
    Result<std::unique_ptr<Vcpu>> create_vcpu(uint32_t id);
    // KVM_SET_IDENTITY_MAP_ADDR and KVM_SET_TSS_ADDR (4.41, 4.37): Intel needs pages for its real mode.
    Result<void> place_intel_pages();

    // One device's hold on the line of a GSI. The Vm outlives it.
    std::unique_ptr<IrqLine> irq_line(uint32_t gsi) { return irq_pins_.line(gsi); }

    // After create_irqchip().
    MessageInterrupts& message_interrupts() { return msi_routes_; }
    Doorbells& doorbells() { return doorbells_; }
    // No vCPU runs again: interrupts and doorbells that are dropped from now on are left for the kernel to
    // take back with the Vm. That takes as long as one by one (0.2 ms a doorbell), but with teardown.h
    // nobody waits for it.
    void leave_wiring_to_kernel();

    // Collects writes to a zone (4.116). No effect where KVM has no ring for both kinds of zone; false then.
    bool coalesce(const CoalescedZone& zone, bool on);
    // Where they are collected; nothing before the first vCPU exists or without the capability.
    CoalescedRing* coalesced() { return ring_.valid() ? &ring_ : nullptr; }

    // What the guest can see of the chips in the kernel: clock, PIT, PICs, IOAPIC (local APICs are the
    // vCPUs').
    Result<void> save(ByteWriter& writer) const;
    Result<void> restore(ByteReader& reader);

    int fd() const { return fd_.get(); }

  private:
    // Each line of the IOAPIC masked, and marked as the firmware's own: what Linux finds marked so it needn't
    // clear, which is 8 exits a line, and again at its end for the lines that it didn't use. A driver that
    // takes a line writes all of its entry. At reset only the mask is defined (82093AA datasheet, 3.2.4).
    Result<void> mark_ioapic_unused();

    Fd fd_;
    VmAbilities abilities_;
    CoalescedRing ring_;
    IrqPins irq_pins_;
    MsiRoutes msi_routes_;
    KvmDoorbells doorbells_;
};

}  // namespace carrel::kvm
