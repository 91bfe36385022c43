// Platform: what the tables tell the guest about the machine. Whoever assembles the machine fills it in from
// the machine's description, and only with what is really there: each thing announced and missing costs the
// guest a wait or an error line. Numbers are those of vmm/model/address_map_x86.h unless said otherwise.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "vmm/model/address_map_x86.h"
#include "vmm/model/gpa.h"

namespace carrel::acpi {

// The fixed hardware of ACPI 6.5, 4.8: ports of the power management registers.
struct FixedHardware {
    uint16_t pm1a_event = address_map::kPm1aEvent;
    uint16_t pm1a_control = address_map::kPm1aControl;
    // Not announced unless asked for: Linux reads it twenty times to see whether it runs, each read an exit,
    // and then never again where it has kvm-clock or a good TSC.
    std::optional<uint16_t> pm_timer;
    uint16_t reset_register = address_map::kResetControl;
    uint8_t reset_value = address_map::kResetControlValue;
    uint8_t sleep_type_s5 = address_map::kSleepTypeS5;
    // Level-triggered, active high; less than 16, because it is an interrupt of the 8259 too.
    uint8_t sci = address_map::kGsiSci;
};

struct SerialPort {
    uint16_t base = address_map::kCom1;
    uint32_t irq = address_map::kGsiCom1;  // an ISA interrupt: less than 16, edge-triggered
};

struct MemoryWindow {
    Gpa base;
    uint64_t size;  // bytes, at least 1
};

struct PciHostBridge {
    uint8_t last_bus = 0;  // the buses are 0 to this one; more than 0 needs bridges
    MemoryWindow mmio32{address_map::kPciMmio32, address_map::kPciMmio32Size};  // below 4 GiB
    std::optional<MemoryWindow> mmio64;
    // Base of the ECAM region, of 1 MiB for each bus, below 4 GiB. With it the bridge is a PCI Express one.
    std::optional<Gpa> ecam;
};

struct VirtioMmio {
    Gpa base;  // below 4 GiB
    uint32_t size;
    uint32_t gsi;  // level-triggered; several may share it
};

struct Platform {
    std::vector<uint32_t>
        apic_ids;  // one for each CPU, each once, in the order of the CPUs; the first one boots
    FixedHardware fixed = {};
    std::optional<SerialPort> com1 = SerialPort{};
    std::optional<PciHostBridge> pci = PciHostBridge{};
    std::vector<VirtioMmio> virtio_mmio = {};  // at most 256
};

}  // namespace carrel::acpi
