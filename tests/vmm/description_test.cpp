#include "vmm/model/machine_description.h"

#include "tests/catch.h"

using namespace carrel;

namespace {

MachineDescription some() {
    MachineDescription d;
    d.ram = RamMap::of_size(5 * kGiB);
    d.apic_ids = {0, 1, 2};
    d.cpuid = {{1, 0, false, 1, 2, 3, 4}, {0xd, 1, true, 5, 6, 7, 8}};
    d.tsc_khz = 2'400'000;
    d.msr_list = {0x10, 0xc000'0080};
    d.devices = {
        {DeviceKind::kCom, 0, AddressSpace::kPorts, 0x3f8, 8, 4},
        {DeviceKind::kEarlyConsole, 0, AddressSpace::kMemory, 0xf000'0000, 4096, {}},
        {DeviceKind::kDisk, 0, AddressSpace::kMemory, 0xe000'0000, 4096, 20, Transport::kPci, {}, 17}};
    return d;
}

std::vector<std::byte> saved(const MachineDescription& description) {
    ByteWriter writer;
    description.save(writer);
    return std::move(writer).take();
}

}  // namespace

TEST_CASE("description: comes back as it was saved") {
    const auto bytes = saved(some());
    ByteReader reader(bytes);
    auto restored = MachineDescription::restore(reader);
    REQUIRE(restored.ok());
    CHECK(*restored == some());
    CHECK(reader.at_end());
}

TEST_CASE("description: finds a device by kind and slot") {
    const MachineDescription d = some();
    REQUIRE(d.find(DeviceKind::kCom) != nullptr);
    CHECK(d.find(DeviceKind::kCom)->gsi == 4u);
    CHECK(d.find(DeviceKind::kCom, 1) == nullptr);
    CHECK(d.find(DeviceKind::kRtc) == nullptr);
}

TEST_CASE("description: damaged bytes are an error, whatever was damaged") {
    const auto good = saved(some());
    for (size_t length = 0; length < good.size(); ++length) {
        ByteReader reader{std::span(good).first(length)};
        CHECK_FALSE(MachineDescription::restore(reader).ok());
    }
    for (size_t at = 0; at < good.size(); ++at) {
        auto bytes = good;
        bytes[at] = std::byte{0xff};
        ByteReader reader(bytes);
        const auto restored = MachineDescription::restore(reader);  // any answer, no crash
        if (restored.ok()) CHECK_FALSE(restored->apic_ids.empty());
    }
}

TEST_CASE("description: devices that can't be are refused") {
    MachineDescription d = some();
    SECTION("over each other") {
        d.devices.push_back({DeviceKind::kRtc, 0, AddressSpace::kPorts, 0x3ff, 2, {}});
    }
    SECTION("the same slot twice") {
        d.devices.push_back({DeviceKind::kCom, 0, AddressSpace::kPorts, 0x2f8, 8, 3});
    }
    SECTION("a PCI function in no slot") {
        d.devices[2].pci_slot = 0;
    }
    SECTION("a PCI function beyond the bus") {
        d.devices[2].pci_slot = 32;
    }
    SECTION("two PCI functions in one slot") {
        d.devices.push_back(d.devices[2]);
        d.devices[3].kind = DeviceKind::kNet;
        d.devices[3].base += 4096;
    }
    SECTION("a slot without a PCI function") {
        d.devices[0].pci_slot = 3;
    }
    SECTION("without an interrupt that it needs") {
        d.devices[0].gsi.reset();
    }
    SECTION("of no size") {
        d.devices[1].size = 0;
    }
    SECTION("of no known kind") {
        d.devices[1].kind = DeviceKind{77};
    }
    SECTION("over the end") {
        d.devices[1].base = ~uint64_t{0} - 5;
    }
    const auto bytes = saved(d);
    ByteReader reader(bytes);
    CHECK_FALSE(MachineDescription::restore(reader).ok());
}

TEST_CASE("description: RAM that can't be is refused") {
    MachineDescription d = some();
    d.ram.ranges[1].base = Gpa{kGiB};  // inside the first range
    const auto bytes = saved(d);
    ByteReader reader(bytes);
    CHECK_FALSE(MachineDescription::restore(reader).ok());
}
