// Walks RSDP -> XSDT or RSDT -> FADT, MADT, MCFG; looks for _S5_ in the DSDT. Section numbers are ACPI 6.5's.
#include "lib/acpi.h"

#include "lib/physical.h"

namespace guest {
namespace {

constexpr std::uint32_t kHeaderSize = 36;  // 5.2.6 System Description Table Header
constexpr std::uint32_t kLengthOffset = 4;

constexpr std::uint32_t signature(const char (&name)[5]) {
    std::uint32_t value = 0;
    for (unsigned i = 0; i < 4; ++i) value |= std::uint32_t{static_cast<unsigned char>(name[i])} << 8 * i;
    return value;
}

constinit Acpi tables = {};

std::uint32_t length_of(std::uint64_t table) {
    return read_physical<std::uint32_t>(table + kLengthOffset);
}

void note_checksum(std::uint64_t table) {
    if (checksum(table, length_of(table)) != 0) ++tables.bad_checksums;
}

// 5.2.12.5: bits 0-1 polarity, 2-3 trigger; 3 means active low and level.
IsaInterrupt override_from(std::uint64_t entry) {
    const auto flags = read_physical<std::uint16_t>(entry + 8);
    return {read_physical<std::uint32_t>(entry + 4), (flags >> 2 & 3) == 3, (flags & 3) == 3};
}

void add_cpu(std::uint32_t id, std::uint32_t flags) {
    constexpr std::uint32_t kEnabled = 1;
    if ((flags & kEnabled) == 0) return;
    if (tables.cpu_count < MAX_CPUS) tables.cpu_ids[tables.cpu_count] = id;
    ++tables.cpu_count;
}

// 5.2.12, tables 5.21 and following.
void read_madt_entry(std::uint64_t entry) {
    switch (read_physical<std::uint8_t>(entry)) {
        case 0:
            add_cpu(read_physical<std::uint8_t>(entry + 3), read_physical<std::uint32_t>(entry + 4));
            break;
        case 1:
            tables.ioapic_address = read_physical<std::uint32_t>(entry + 4);
            tables.ioapic_gsi_base = read_physical<std::uint32_t>(entry + 8);
            break;
        case 2:
            if (const auto irq = read_physical<std::uint8_t>(entry + 3); irq < Acpi::kIsaIrqs)
                tables.isa[irq] = override_from(entry);
            break;
        case 9:
            add_cpu(read_physical<std::uint32_t>(entry + 4), read_physical<std::uint32_t>(entry + 8));
            break;
        default: break;
    }
}

void read_madt(std::uint64_t madt) {
    constexpr std::uint32_t kFirstEntry = 44;
    tables.madt = madt;
    const std::uint64_t end = madt + length_of(madt);
    for (std::uint64_t entry = madt + kFirstEntry; entry + 2 <= end;) {
        const auto length = read_physical<std::uint8_t>(entry + 1);
        if (length < 2) return;
        read_madt_entry(entry);
        entry += length;
    }
}

// The SLP_TYP of \_S5: NameOp? "_S5_" PackageOp PkgLength NumElements, then ByteConst, Zero or One (20.2.3).
void find_s5(std::uint64_t dsdt) {
    constexpr std::uint8_t kPackageOp = 0x12;
    constexpr std::uint8_t kBytePrefix = 0x0a;
    const std::uint32_t length = length_of(dsdt);
    for (std::uint32_t i = kHeaderSize; i + 9 < length; ++i) {
        if (read_physical<std::uint8_t>(dsdt + i) != '_') continue;
        if (read_physical<std::uint32_t>(dsdt + i) != signature("_S5_")) continue;
        if (read_physical<std::uint8_t>(dsdt + i + 4) != kPackageOp) continue;
        const std::uint64_t size_bytes = (read_physical<std::uint8_t>(dsdt + i + 5) >> 6) + 1u;
        const std::uint64_t element = dsdt + i + 5 + size_bytes + 1;
        const auto op = read_physical<std::uint8_t>(element);
        tables.sleep_type_s5 = op == kBytePrefix ? read_physical<std::uint8_t>(element + 1) : op;
        return;
    }
}

// 5.2.9, table 5.9.
void read_fadt(std::uint64_t fadt) {
    constexpr std::uint32_t kResetSupported = 1u << 10;
    tables.fadt = fadt;
    tables.dsdt = read_physical<std::uint32_t>(fadt + 40);
    if (length_of(fadt) >= 148)
        if (const auto x_dsdt = read_physical<std::uint64_t>(fadt + 140)) tables.dsdt = x_dsdt;
    tables.sci_irq = read_physical<std::uint16_t>(fadt + 46);
    tables.pm1_event = static_cast<std::uint16_t>(read_physical<std::uint32_t>(fadt + 56));
    tables.pm1_control = static_cast<std::uint16_t>(read_physical<std::uint32_t>(fadt + 64));
    tables.pm1_event_length = read_physical<std::uint8_t>(fadt + 88);
    tables.fadt_flags = read_physical<std::uint32_t>(fadt + 112);
    if (length_of(fadt) >= 129 && (tables.fadt_flags & kResetSupported) != 0) {
        tables.reset_port = static_cast<std::uint16_t>(read_physical<std::uint64_t>(fadt + 120));
        tables.reset_value = read_physical<std::uint8_t>(fadt + 128);
    }
    if (tables.dsdt == 0) return;
    note_checksum(tables.dsdt);
    find_s5(tables.dsdt);
}

// PCI Firmware Specification 3.2, table 4-3: the first entry, which is bus 0's.
void read_mcfg(std::uint64_t mcfg) {
    constexpr std::uint32_t kFirstEntry = 44;
    if (length_of(mcfg) >= kFirstEntry + 16) tables.ecam = read_physical<std::uint64_t>(mcfg + kFirstEntry);
}

void read_table(std::uint64_t table) {
    const auto name = read_physical<std::uint32_t>(table);
    note_checksum(table);
    if (name == signature("FACP")) read_fadt(table);
    if (name == signature("APIC")) read_madt(table);
    if (name == signature("MCFG")) read_mcfg(table);
}

void read_root(std::uint64_t root, unsigned pointer_size) {
    note_checksum(root);
    const std::uint64_t end = root + length_of(root);
    for (std::uint64_t at = root + kHeaderSize; at + pointer_size <= end; at += pointer_size)
        read_table(pointer_size == 8 ? read_physical<std::uint64_t>(at) : read_physical<std::uint32_t>(at));
}

}  // namespace

void acpi_init(std::uint64_t rsdp) {
    constexpr std::uint32_t kRsdpV1Size = 20;  // 5.2.5.3
    for (unsigned irq = 0; irq < Acpi::kIsaIrqs; ++irq) tables.isa[irq].gsi = irq;
    if (rsdp == 0) return;
    if (checksum(rsdp, kRsdpV1Size) != 0) ++tables.bad_checksums;
    const bool has_xsdt = read_physical<std::uint8_t>(rsdp + 15) >= 2;
    if (has_xsdt) return read_root(read_physical<std::uint64_t>(rsdp + 24), 8);
    read_root(read_physical<std::uint32_t>(rsdp + 16), 4);
}

const Acpi& acpi() {
    return tables;
}

IsaInterrupt acpi_isa_interrupt(unsigned irq) {
    if (irq < Acpi::kIsaIrqs) return tables.isa[irq];
    return {irq, false, false};
}

std::uint8_t checksum(std::uint64_t address, std::uint32_t length) {
    std::uint8_t sum = 0;
    for (std::uint32_t i = 0; i < length; ++i)
        sum = static_cast<std::uint8_t>(sum + *reinterpret_cast<const volatile std::uint8_t*>(address + i));
    return sum;
}

}  // namespace guest
