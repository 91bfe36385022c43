// Interrupt lines over a real KVM, as its IOAPIC shows them.
#include "vmm/kvm/irq_pins.h"

#include <linux/kvm.h>
#include <sys/ioctl.h>

#include "tests/catch.h"
#include "tests/vmm/kvm_rig.h"

using namespace carrel;

namespace {

bool is_up(const kvm::Vm& vm, uint32_t gsi) {
    kvm_irqchip chip{};
    chip.chip_id = KVM_IRQCHIP_IOAPIC;
    REQUIRE(::ioctl(vm.fd(), KVM_GET_IRQCHIP, &chip) == 0);
    return (chip.chip.ioapic.irr >> gsi & 1) != 0;
}

}  // namespace

TEST_CASE("interrupt lines: a pin of the 8259s is taken by its level where that is asked for") {
    const auto rig = carrel::test::kvm_rig("irq_pins");
    if (!rig) return;
    for (const uint32_t gsi : {5u, 10u, 12u, 23u}) REQUIRE(rig->vm->set_level(gsi).ok());
    kvm_irqchip master{}, slave{};
    master.chip_id = KVM_IRQCHIP_PIC_MASTER;
    slave.chip_id = KVM_IRQCHIP_PIC_SLAVE;
    REQUIRE(::ioctl(rig->vm->fd(), KVM_GET_IRQCHIP, &master) == 0);
    REQUIRE(::ioctl(rig->vm->fd(), KVM_GET_IRQCHIP, &slave) == 0);
    CHECK(unsigned{master.chip.pic.elcr} == 1u << 5);
    CHECK(unsigned{slave.chip.pic.elcr} == (1u << (10 - 8) | 1u << (12 - 8)));
}

TEST_CASE("interrupt lines: one that two devices share is up as long as either holds it") {
    const auto rig = carrel::test::kvm_rig("irq_pins");
    if (!rig) return;
    const uint32_t gsi = GENERATE(5u, 18u, 23u);
    auto disk = rig->vm->irq_line(gsi);
    auto random = rig->vm->irq_line(gsi);
    const auto other = rig->vm->irq_line(gsi - 1);
    CHECK_FALSE(is_up(*rig->vm, gsi));
    disk->set(true);
    disk->set(true);
    random->set(true);
    CHECK(is_up(*rig->vm, gsi));
    CHECK_FALSE(is_up(*rig->vm, gsi - 1));
    disk->set(false);
    CHECK(is_up(*rig->vm, gsi));
    random->set(false);
    CHECK_FALSE(is_up(*rig->vm, gsi));
    random->set(false);
    disk->set(true);
    CHECK(is_up(*rig->vm, gsi));
    disk.reset();  // a device that goes takes its hold along
    CHECK_FALSE(is_up(*rig->vm, gsi));
}
