// The chips in the kernel as bytes: PICs and IOAPIC first (lines), PIT next (it raises one), the clock last.
#include <linux/kvm.h>

#include "vmm/kvm/state_x86.h"
#include "vmm/kvm/vm.h"

namespace carrel::kvm {
namespace {

constexpr uint16_t kVersion = 1;
constexpr uint32_t kChips[] = {KVM_IRQCHIP_PIC_MASTER, KVM_IRQCHIP_PIC_SLAVE, KVM_IRQCHIP_IOAPIC};

}  // namespace

Result<void> Vm::save(ByteWriter& writer) const {
    const size_t part = writer.begin_part("chip", kVersion);
    for (const uint32_t id : kChips) {
        kvm_irqchip chip{};
        chip.chip_id = id;
        TRY(save_by_ioctl(writer, "read an interrupt controller", fd(), KVM_GET_IRQCHIP, chip));
    }
    TRY(save_by_ioctl<kvm_pit_state2>(writer, "read the PIT", fd(), KVM_GET_PIT2));
    TRY(save_by_ioctl<kvm_clock_data>(writer, "read the clock", fd(), KVM_GET_CLOCK));
    writer.end_part(part);
    return {};
}

Result<void> Vm::restore(ByteReader& reader) {
    ByteReader part = reader.part("chip", kVersion);
    for (const uint32_t id : kChips) {
        kvm_irqchip chip{};
        TRY(get_struct(part, chip));
        if (chip.chip_id != id)
            return usage_error("saved state names interrupt controllers in the wrong order");
        TRY(checked_ioctl("restore an interrupt controller", fd(), KVM_SET_IRQCHIP, &chip));
    }
    TRY(restore_by_ioctl<kvm_pit_state2>(part, "restore the PIT", fd(), KVM_SET_PIT2));
    kvm_clock_data clock{};
    TRY(get_struct(part, clock));
    clock.flags = 0;  // guest time goes on from where it was, not from the wall
    TRY(checked_ioctl("restore the clock", fd(), KVM_SET_CLOCK, &clock));
    if (!part.ok() || !part.at_end()) return usage_error("saved state of the chips has the wrong length");
    return {};
}

}  // namespace carrel::kvm
