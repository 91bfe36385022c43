#include "vmm/kvm/vm.h"

#include <linux/kvm.h>
#include <unistd.h>

#include "vmm/kvm/ioctl.h"
#include "vmm/model/address_map_x86.h"

namespace carrel::kvm {
namespace {

constexpr uint32_t kReadOnlySlot = 8;  // behind those of RAM, which has two regions at most

// A redirection entry of the IOAPIC: 82093AA datasheet, 3.2.4, bits 16 (mask) and 10:8 (delivery mode: 010 is
// SMI).
constexpr uint64_t kRedirectionMasked = uint64_t{1} << 16;
constexpr uint64_t kRedirectionSmi = uint64_t{0b010} << 8;

}  // namespace

Vm::Vm(Fd fd, const VmAbilities& abilities)
    : fd_(std::move(fd)),
      abilities_(abilities),
      irq_pins_(fd_.get()),
      msi_routes_(fd_.get(), abilities.irq_routes),
      doorbells_(fd_.get(), abilities.ioeventfd_any_length) {}

Vm::~Vm() = default;

Result<void> Vm::map(const GuestMemory& memory) {
    uint32_t slot = 0;
    for (const GuestMemory::Region& region : memory.regions()) {
        kvm_userspace_memory_region slot_of_region{};
        slot_of_region.slot = slot++;
        slot_of_region.guest_phys_addr = raw(region.base);
        slot_of_region.memory_size = region.size;
        slot_of_region.userspace_addr = reinterpret_cast<uint64_t>(region.host);
        TRY(checked_ioctl("map guest memory", fd(), KVM_SET_USER_MEMORY_REGION, &slot_of_region));
    }
    return {};
}

Result<void> Vm::map_read_only(Gpa base, std::span<const std::byte> page) {
    kvm_userspace_memory_region slot{};
    slot.slot = kReadOnlySlot;
    slot.flags = KVM_MEM_READONLY;
    slot.guest_phys_addr = raw(base);
    slot.memory_size = page.size();
    slot.userspace_addr = reinterpret_cast<uint64_t>(page.data());
    TRY(checked_ioctl("map a page that the guest may only read", fd(), KVM_SET_USER_MEMORY_REGION, &slot));
    return {};
}

Result<void> Vm::create_irqchip() {
    TRY(checked_ioctl("create the interrupt controllers", fd(), KVM_CREATE_IRQCHIP, 0));
    kvm_pit_config pit{};
    pit.flags = KVM_PIT_SPEAKER_DUMMY;
    TRY(checked_ioctl("create the timer (PIT)", fd(), KVM_CREATE_PIT2, &pit));
    return mark_ioapic_unused();
}

Result<void> Vm::mark_ioapic_unused() {
    kvm_irqchip chip{};
    chip.chip_id = KVM_IRQCHIP_IOAPIC;
    TRY(checked_ioctl("read the IOAPIC", fd(), KVM_GET_IRQCHIP, &chip));
    for (auto& entry : chip.chip.ioapic.redirtbl) entry.bits = kRedirectionMasked | kRedirectionSmi;
    TRY(checked_ioctl("set up the IOAPIC", fd(), KVM_SET_IRQCHIP, &chip));
    return {};
}

Result<void> Vm::set_level(uint32_t gsi) {
    constexpr uint32_t kPins = 8;  // of each of the two
    if (gsi >= 2 * kPins) return {};
    kvm_irqchip chip{};
    chip.chip_id = gsi < kPins ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE;
    TRY(checked_ioctl("read the interrupt controller", fd(), KVM_GET_IRQCHIP, &chip));
    chip.chip.pic.elcr = static_cast<uint8_t>(chip.chip.pic.elcr | 1u << gsi % kPins);
    TRY(checked_ioctl("set up the interrupt controller", fd(), KVM_SET_IRQCHIP, &chip));
    return {};
}

Result<std::unique_ptr<Vcpu>> Vm::create_vcpu(uint32_t id) {
    TRY_ASSIGN(const int vcpu,
               checked_ioctl("create a vCPU", fd(), KVM_CREATE_VCPU, static_cast<unsigned long>(id)));
    Fd owned(vcpu);
    TRY_ASSIGN(Mapping run, Mapping::map(abilities_.run_size, PROT_READ | PROT_WRITE, MAP_SHARED, owned.get(),
                                         0, "kvm_run"));
    const size_t ring_offset = KVM_COALESCED_MMIO_PAGE_OFFSET * kPageSize;
    if (id == 0 && abilities_.coalesced_pio && ring_offset < run.size())
        ring_ = CoalescedRing(run.data() + ring_offset);
    return std::make_unique<Vcpu>(std::move(owned), std::move(run), id);
}

Result<void> Vm::place_intel_pages() {
    uint64_t identity_map = raw(address_map::kIdentityMap);
    TRY(checked_ioctl("place the identity map", fd(), KVM_SET_IDENTITY_MAP_ADDR, &identity_map));
    TRY(checked_ioctl("place the task state segment", fd(), KVM_SET_TSS_ADDR,
                      static_cast<unsigned long>(raw(address_map::kTss))));
    return {};
}

void Vm::leave_wiring_to_kernel() {
    msi_routes_.leave_to_kernel();
    doorbells_.leave_to_kernel();
}

bool Vm::coalesce(const CoalescedZone& zone, bool on) {
    if (!ring_.valid()) return false;
    kvm_coalesced_mmio_zone wanted{};
    wanted.addr = zone.base;
    wanted.size = zone.size;
    wanted.pio = zone.port ? 1 : 0;
    return retry_ioctl(fd(), on ? KVM_REGISTER_COALESCED_MMIO : KVM_UNREGISTER_COALESCED_MMIO, &wanted) == 0;
}

}  // namespace carrel::kvm
