// MachineDescription: the identity of a machine as its guest sees it. Computed once when the machine is made,
// saved with it, and never derived again from the host (DESIGN.md section 10).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "vmm/base/bytes.h"
#include "vmm/base/result.h"
#include "vmm/model/cpuid_x86.h"
#include "vmm/model/ram_map.h"
#include "vmm/model/transport.h"

namespace carrel {

// The numbers are part of saved state: a new kind gets a new one.
enum class DeviceKind : uint8_t {
    kCom = 1,
    kRtc,
    kI8042,
    kAcpiPm,
    kPciConfig,
    kEarlyConsole,
    kPciEcam,
    kEntropy,
    kDisk,
    kNet,
    kVirtioConsole,
    kBalloon,
    kVsock,
    kPvpanic
};
enum class AddressSpace : uint8_t { kPorts, kMemory };

// Where one device sits. `slot` counts within its kind, so that another kind never moves it.
struct DevicePlace {
    DeviceKind kind{};
    uint8_t slot = 0;
    AddressSpace space = AddressSpace::kPorts;
    uint64_t base = 0;
    uint64_t size = 0;
    std::optional<uint32_t> gsi;  // its interrupt line, where it has one
    Transport transport = Transport::kNone;
    std::optional<uint16_t> ports =
        {};                // where its BAR of ports lies until the guest moves it, where it has one
    uint8_t pci_slot = 0;  // of a PCI function
    bool operator==(const DevicePlace&) const = default;
};

struct MachineDescription {
    RamMap ram;
    std::vector<uint32_t> apic_ids;  // one for each vCPU, in order
    CpuidTable cpuid;                // of vCPU 0; per-vCPU fields are filled in by cpuid_of()
    uint32_t tsc_khz = 0;            // of all vCPUs; 0 where KVM can't tell
    std::vector<uint32_t> msr_list;  // what a saved vCPU holds
    std::vector<DevicePlace> devices;
    bool packed_rings = false;  // VIRTIO_F_RING_PACKED is offered by all virtio devices

    uint32_t cpus() const { return static_cast<uint32_t>(apic_ids.size()); }
    // Null where the machine has no such device.
    const DevicePlace* find(DeviceKind kind, uint8_t slot = 0) const;

    // As one part (bytes.h). restore() treats the bytes as hostile: what it gives is in itself possible.
    void save(ByteWriter& writer) const;
    static Result<MachineDescription> restore(ByteReader& reader);
    bool operator==(const MachineDescription&) const = default;
};

}  // namespace carrel
