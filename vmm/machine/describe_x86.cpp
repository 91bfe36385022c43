#include "vmm/machine/describe_x86.h"

#include <fmt/format.h>
#include <linux/kvm.h>

#include "devices/acpi_pm.h"
#include "devices/early_console.h"
#include "devices/i8042.h"
#include "devices/pci/config_ports.h"
#include "devices/rtc.h"
#include "devices/serial.h"
#include "vmm/machine/cpuid_x86.h"
#include "vmm/model/address_map_x86.h"

namespace carrel {
namespace {

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

}  // namespace

Result<MachineDescription> describe(const kvm::Kvm& kvm, const MachineConfig& config) {
    const uint32_t most = kvm.max_vcpus();
    if (config.cpus > most) {
        return usage_error(fmt::format("--cpus: this host's KVM runs at most {} vCPUs in a guest, not {}",
                                       most, config.cpus));
    }
    MachineDescription description;
    description.ram = RamMap::of_size(config.memory_or_default());
    for (uint32_t id = 0; id < config.cpus; ++id) description.apic_ids.push_back(id);
    TRY_ASSIGN(const CpuidTable supported, kvm.supported_cpuid());
    const bool deadline = kvm.check(KVM_CAP_TSC_DEADLINE_TIMER) > 0;
    description.cpuid = machine_cpuid(supported, config.cpu_model, config.cpus, deadline);
    TRY_ASSIGN(description.msr_list, kvm.msr_list());
    // Only where reading it costs no exit: that is what it's for.
    description.devices = device_places(kvm.check(KVM_CAP_READONLY_MEM) > 0);
    return description;
}

}  // namespace carrel
