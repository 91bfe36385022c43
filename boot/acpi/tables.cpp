#include "boot/acpi/tables.h"

#include <fmt/format.h>

#include <algorithm>

#include "boot/acpi/dsdt.h"
#include "boot/acpi/fadt.h"
#include "boot/acpi/madt.h"
#include "boot/acpi/root_tables.h"
#include "vmm/base/check.h"

namespace carrel::acpi {
namespace {

constexpr size_t kAlignment = 64;  // the FACS's (5.2.10); the RSDP needs 16 (5.2.5.1)

// Tables one behind the other.
class Image {
  public:
    explicit Image(Gpa base) : base_(base) {}

    Gpa add(const Bytes& table) {
        bytes_.resize((bytes_.size() + kAlignment - 1) / kAlignment * kAlignment);
        const Gpa address = base_ + bytes_.size();
        append(bytes_, table);
        return address;
    }
    // Fills in what was added first.
    Bytes finish(const Bytes& first) && {
        std::copy(first.begin(), first.end(), bytes_.begin());
        return std::move(bytes_);
    }

  private:
    Gpa base_;
    Bytes bytes_;
};

Bytes build_rsdp(Gpa xsdt) {
    constexpr uint8_t kRevision = 2;  // with the fields from `length` on
    Rsdp rsdp{};
    rsdp.signature = {'R', 'S', 'D', ' ', 'P', 'T', 'R', ' '};
    rsdp.oem_id = kOemId;
    rsdp.revision = kRevision;
    rsdp.length = sizeof rsdp;
    rsdp.xsdt_address = raw(xsdt);
    const auto bytes = std::as_bytes(std::span(&rsdp, 1));
    rsdp.checksum = checksum(bytes.first(kRsdpV1Size));
    rsdp.extended_checksum = checksum(bytes);
    return {bytes.begin(), bytes.end()};
}

// The OS and the firmware share a lock in it. Nothing of ours takes it, but without hardware-reduced ACPI the
// table must be there.
Bytes build_facs() {
    Facs facs{};
    facs.signature = {'F', 'A', 'C', 'S'};
    facs.length = sizeof facs;
    facs.version = 2;
    Bytes bytes;
    append(bytes, facs);
    return bytes;
}

Bytes build_mcfg(Gpa ecam, uint8_t last_bus) {
    Mcfg mcfg{};
    mcfg.header = table_header("MCFG", 1);
    mcfg.base_address = raw(ecam);
    mcfg.end_bus_number = last_bus;
    Bytes bytes;
    append(bytes, mcfg);
    return seal(std::move(bytes));
}

// 5.2.8: the header and the addresses of the tables; the DSDT and the FACS hang on the FADT.
Bytes build_xsdt(const std::vector<Gpa>& tables) {
    Bytes bytes;
    append(bytes, table_header("XSDT", 1));
    for (const Gpa table : tables) append(bytes, raw(table));
    return seal(std::move(bytes));
}

}  // namespace

Bytes build_tables(const Platform& platform, Gpa base) {
    CHECK(raw(base) % kAlignment == 0);
    Image image(base);
    image.add(Bytes(sizeof(Rsdp)));
    const Gpa facs = image.add(build_facs());
    const Gpa dsdt = image.add(build_dsdt(platform));
    std::vector<Gpa> tables{image.add(build_fadt(platform.fixed, facs, dsdt)),
                            image.add(build_madt(platform))};
    if (platform.pci && platform.pci->ecam)
        tables.push_back(image.add(build_mcfg(*platform.pci->ecam, platform.pci->last_bus)));
    const Gpa xsdt = image.add(build_xsdt(tables));
    return std::move(image).finish(build_rsdp(xsdt));
}

Result<Gpa> install(const Platform& platform, GuestMemory& memory, Area area) {
    const Bytes image = build_tables(platform, area.base);
    if (image.size() > area.size)
        return usage_error(fmt::format("the ACPI tables of {} CPUs take {} bytes, and there is room for {}",
                                       platform.apic_ids.size(), image.size(), area.size),
                           "use fewer CPUs");
    if (!memory.write_bytes(area.base, image))
        return usage_error(fmt::format("the guest has no RAM at {:#x} for its ACPI tables", raw(area.base)),
                           "give it at least 1 MiB of memory");
    return area.base;
}

}  // namespace carrel::acpi
