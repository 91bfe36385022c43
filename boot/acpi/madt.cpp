#include "boot/acpi/madt.h"

namespace carrel::acpi {
namespace {

constexpr uint8_t kRevision = 6;           // ACPI 6.5, table 5.19
constexpr uint32_t kPcatCompat = 1u << 0;  // there are two 8259s as well (in KVM)
constexpr uint32_t kEnabled = 1u << 0;     // table 5.22
constexpr uint32_t kFirstX2ApicId = 255;   // 255 is the broadcast id of the xAPIC

// Structure types, table 5.21.
enum class Type : uint8_t { kLocalApic = 0, kIoApic = 1, kInterruptSourceOverride = 2, kLocalX2Apic = 9 };

// MPS INTI flags, table 5.26.
constexpr uint16_t kActiveHigh = 0b01;
constexpr uint16_t kLevelTriggered = 0b11 << 2;

template <class T>
T structure(Type type) {
    T value{};
    value.type = static_cast<uint8_t>(type);
    value.length = sizeof(T);
    return value;
}

void append_cpu(Bytes& to, uint32_t apic_id) {
    if (apic_id < kFirstX2ApicId) {
        auto cpu = structure<MadtLocalApic>(Type::kLocalApic);
        cpu.acpi_processor_uid = static_cast<uint8_t>(apic_id);
        cpu.apic_id = static_cast<uint8_t>(apic_id);
        cpu.flags = kEnabled;
        return append(to, cpu);
    }
    auto cpu = structure<MadtLocalX2Apic>(Type::kLocalX2Apic);
    cpu.acpi_processor_uid = apic_id;
    cpu.x2apic_id = apic_id;
    cpu.flags = kEnabled;
    append(to, cpu);
}

void append_io_apic(Bytes& to) {
    auto io_apic = structure<MadtIoApic>(Type::kIoApic);
    io_apic.io_apic_id = address_map::kIoApicId;
    io_apic.io_apic_address = static_cast<uint32_t>(raw(address_map::kIoApic));
    append(to, io_apic);
}

void append_override(Bytes& to, uint8_t irq, uint32_t gsi, uint16_t flags) {
    auto entry = structure<MadtInterruptSourceOverride>(Type::kInterruptSourceOverride);
    entry.source = irq;
    entry.global_system_interrupt = gsi;
    entry.flags = flags;
    append(to, entry);
}

}  // namespace

Bytes build_madt(const Platform& platform) {
    Madt madt{};
    madt.header = table_header("APIC", kRevision);
    madt.local_interrupt_controller_address = static_cast<uint32_t>(raw(address_map::kLocalApic));
    madt.flags = kPcatCompat;
    Bytes bytes;
    append(bytes, madt);
    for (const uint32_t apic_id : platform.apic_ids) append_cpu(bytes, apic_id);
    append_io_apic(bytes);
    // None for IRQ 0: KVM's default routing puts the PIT on pin 0 (on a PC it's pin 2).
    append_override(bytes, platform.fixed.sci, platform.fixed.sci, kActiveHigh | kLevelTriggered);
    return seal(std::move(bytes));
}

}  // namespace carrel::acpi
