#include "boot/acpi/dsdt.h"

#include <fmt/format.h>

#include <limits>
#include <string>

#include "boot/acpi/aml.h"
#include "boot/acpi/aml_resource.h"
#include "vmm/base/check.h"

namespace carrel::acpi {
namespace {

using namespace aml;

constexpr uint8_t kRevision = 2;  // from 2 on, integers have 64 bits (19.6.29)
constexpr uint32_t kPciSlots = 32;
constexpr uint32_t kPciPins = 4;
constexpr uint64_t kEcamPerBus = kMiB;  // 32 slots × 8 functions × 4 KiB
constexpr uint8_t kPciConfigPorts = 8;  // address 0xcf8, data 0xcfc

// 7.4.2, \_S5: SLP_TYPa, SLP_TYPb (there is no PM1b), two reserved.
TermObj soft_off(uint8_t sleep_type) {
    return def_name("\\_S5", def_package({integer(sleep_type), integer(0), integer(0), integer(0)}));
}

TermObj serial_port(const SerialPort& port) {
    const TermList terms{
        def_name("_HID", eisa_id("PNP0501")),  // 16550A-compatible COM port
        def_name("_UID", integer(1)),
        def_name("_CRS", resource_template({io(port.base, 8), irq_no_flags(port.irq)})),
    };
    return def_device("COM1", terms);
}

// 6.2.13, _PRT: {address, pin, 0, GSI} for each pin of each slot. The low word 0xffff means all functions.
DataObject pci_routing_table() {
    std::vector<DataObject> routes;
    for (uint32_t slot = 0; slot < kPciSlots; ++slot)
        for (uint32_t pin = 0; pin < kPciPins; ++pin)
            routes.push_back(def_package({integer(slot << 16 | 0xffff), integer(pin), integer(0),
                                          integer(address_map::pci_intx_gsi(slot, pin))}));
    return def_package(routes);
}

ResourceDescriptor window32(const MemoryWindow& window) {
    const uint64_t last = raw(window.base) + window.size - 1;
    CHECK(last <= std::numeric_limits<uint32_t>::max());
    return dword_memory(static_cast<uint32_t>(raw(window.base)), static_cast<uint32_t>(last));
}

DataObject pci_resources(const PciHostBridge& pci) {
    std::vector<ResourceDescriptor> resources{
        word_bus_number(0, pci.last_bus),
        io(address_map::kPciConfigAddress, kPciConfigPorts),
        word_io(address_map::kPciIoFirst, address_map::kPciIoLast),
        window32(pci.mmio32),
    };
    if (pci.mmio64)
        resources.push_back(
            qword_memory(raw(pci.mmio64->base), raw(pci.mmio64->base) + pci.mmio64->size - 1));
    return resource_template(resources);
}

// 6.2.11, _OSC(UUID, revision, count, capabilities): the OS asks for control of PCI Express features. We keep
// none of them for ourselves, so what it asks is what it gets; another UUID is refused.
TermObj pci_express_control() {
    constexpr uint64_t kUnrecognizedUuid = 1 << 2;  // of the first dword returned
    const DataObject pci_uuid = to_uuid("33db4d5b-1ff7-401c-9657-7441c03dd766");
    const TermArg capabilities = arg(3);
    const TermList terms{
        def_if(def_lequal(arg(0), pci_uuid), {def_return(capabilities)}),
        def_create_dword_field(capabilities, 0, "CDW1"),
        def_or(value_of("CDW1"), integer(kUnrecognizedUuid), "CDW1"),
        def_return(capabilities),
    };
    return def_method("_OSC", 4, Serialize::kSerialized, terms);
}

// A conventional bridge is PNP0A03; a PCI Express one is PNP0A08 and compatible with it.
TermObj pci_host_bridge(const PciHostBridge& pci) {
    TermList terms{def_name("_HID", eisa_id(pci.ecam ? "PNP0A08" : "PNP0A03"))};
    if (pci.ecam) {
        terms.push_back(def_name("_CID", eisa_id("PNP0A03")));
        terms.push_back(pci_express_control());
    }
    terms.push_back(def_name("_UID", integer(0)));
    terms.push_back(def_name("_CRS", pci_resources(pci)));
    terms.push_back(def_name("_PRT", pci_routing_table()));
    return def_device("PCI0", terms);
}

// PNP0C02, motherboard resources: Linux uses an ECAM region only where something reserves it (PCI Firmware
// Specification 3.3, 4.1.2).
TermObj ecam_reservation(Gpa ecam, uint8_t last_bus) {
    const auto size = static_cast<uint32_t>((last_bus + 1) * kEcamPerBus);
    const TermList terms{
        def_name("_HID", eisa_id("PNP0C02")),
        def_name("_UID", integer(0)),
        def_name("_CRS", resource_template({memory32_fixed(ecam, size)})),
    };
    return def_device("ECAM", terms);
}

// LNRO0005 is the id that Linux's virtio-mmio driver binds to. Its memory is coherent (_CCA, 6.2.17).
TermObj virtio_mmio(const VirtioMmio& device, size_t index) {
    CHECK(index < 256);
    const std::string name = fmt::format("VR{:02X}", index);
    const auto resources =
        resource_template({memory32_fixed(device.base, device.size), interrupt(Trigger::kLevel, device.gsi)});
    const TermList terms{
        def_name("_HID", string("LNRO0005")),
        def_name("_UID", integer(index)),
        def_name("_CCA", integer(1)),
        def_name("_CRS", resources),
    };
    return def_device(NameString(std::string_view(name)), terms);
}

TermList devices(const Platform& platform) {
    TermList terms;
    if (platform.com1) terms.push_back(serial_port(*platform.com1));
    if (platform.pci) terms.push_back(pci_host_bridge(*platform.pci));
    if (platform.pci && platform.pci->ecam)
        terms.push_back(ecam_reservation(*platform.pci->ecam, platform.pci->last_bus));
    for (size_t i = 0; i < platform.virtio_mmio.size(); ++i)
        terms.push_back(virtio_mmio(platform.virtio_mmio[i], i));
    return terms;
}

}  // namespace

Bytes build_dsdt(const Platform& platform) {
    Bytes bytes;
    append(bytes, table_header("DSDT", kRevision));
    append(bytes, soft_off(platform.fixed.sleep_type_s5).bytes);
    append(bytes, def_scope("\\_SB", devices(platform)).bytes);
    return seal(std::move(bytes));
}

}  // namespace carrel::acpi
