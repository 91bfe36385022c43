#include "vmm/machine/describe_x86.h"

#include <fmt/format.h>
#include <linux/kvm.h>

#include <algorithm>

#include "devices/acpi_pm.h"
#include "devices/early_console.h"
#include "devices/i8042.h"
#include "devices/pci/config_ports.h"
#include "devices/rtc.h"
#include "devices/serial.h"
#include "vmm/machine/cpuid_x86.h"
#include "vmm/machine/describe_virtio.h"
#include "vmm/model/address_map_x86.h"

namespace carrel {
namespace {

constexpr uint32_t kMostApicIds = 255;

// Legacy devices keep a PC's places: guests look for them there.
std::vector<DevicePlace> device_places(bool early_console) {
    namespace map = address_map;
    using enum DeviceKind;
    using enum AddressSpace;
    std::vector<DevicePlace> places = {
        {kCom, 0, kPorts, map::kCom1, Serial::kSize, map::kGsiCom1},
        {kRtc, 0, kPorts, map::kRtc, Rtc::kSize, {}},
        {kI8042, 0, kPorts, map::kI8042Data, I8042::kSize, {}},
        {kAcpiPm, 0, kPorts, map::kPm1aEvent, AcpiPm::kSize, map::kGsiSci},
        {kPciConfig, 0, kPorts, map::kPciConfigAddress, pci::ConfigPorts::kSize, {}},
    };
    if (early_console) {
        places.push_back({kEarlyConsole, 0, kMemory, raw(map::kEarlyConsole), EarlyConsole::kSize, {}});
    }
    return places;
}

// MSRs that a guest can set and that KVM reads and writes but doesn't list (SDM volume 4): the MTRRs, and the
// banks of machine checks. What this KVM doesn't have is left out when a vCPU is saved.
void add_unlisted_msrs(std::vector<uint32_t>& msrs) {
    struct Range {
        uint32_t first, count;
    };
    constexpr Range kRanges[] = {
        {0x200, 16},      // IA32_MTRR_PHYSBASEn, PHYSMASKn
        {0x250, 1},       // IA32_MTRR_FIX64K
        {0x258, 2},       // FIX16K
        {0x268, 8},       // FIX4K
        {0x2ff, 1},       // IA32_MTRR_DEF_TYPE
        {0x400, 4 * 32},  // IA32_MCi_CTL, STATUS, ADDR, MISC of the banks that KVM has
    };
    for (const Range& range : kRanges) {
        for (uint32_t i = 0; i < range.count; ++i) {
            const uint32_t index = range.first + i;
            if (std::ranges::find(msrs, index) == msrs.end()) msrs.push_back(index);
        }
    }
}

}  // namespace

Result<MachineDescription> describe(const kvm::Kvm& kvm, const MachineConfig& config) {
    const uint32_t most = kvm.max_vcpus();
    if (config.cpus > most) {
        return usage_error(fmt::format("--cpus: this host's KVM runs at most {} vCPUs in a guest, not {}",
                                       most, config.cpus));
    }
    // The IOAPIC in KVM has 8 bits for an APIC id, and 255 is everybody.
    if (config.cpus > kMostApicIds) {
        return usage_error(fmt::format("--cpus: carrel runs at most {} vCPUs in a guest, not {}",
                                       kMostApicIds, config.cpus));
    }
    MachineDescription description;
    description.ram = RamMap::of_size(config.memory_or_default());
    for (uint32_t id = 0; id < config.cpus; ++id) description.apic_ids.push_back(id);
    TRY_ASSIGN(const CpuidTable supported, kvm.supported_cpuid());
    const bool deadline = kvm.check(KVM_CAP_TSC_DEADLINE_TIMER) > 0;
    description.cpuid = machine_cpuid(supported, config.cpu_model, config.cpus, deadline);
    TRY_ASSIGN(description.msr_list, kvm.msr_list());
    add_unlisted_msrs(description.msr_list);
    // Only where reading it costs no exit: that is what it's for.
    description.devices = device_places(kvm.check(KVM_CAP_READONLY_MEM) > 0);
    add_virtio_places(config, description.devices);
    description.packed_rings = config.packed_rings;
    return description;
}

}  // namespace carrel
