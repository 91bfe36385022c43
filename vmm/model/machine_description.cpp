#include "vmm/model/machine_description.h"

#include <algorithm>

#include "vmm/model/address_map_x86.h"

namespace carrel {
namespace {

constexpr std::string_view kTag = "DESC";
constexpr uint16_t kVersion = 3;
// More than any machine has; a saved count above them is damage.
constexpr uint32_t kMostRanges = 2, kMostCpus = 4096, kMostLeaves = 1024, kMostMsrs = 4096,
                   kMostDevices = 4096;
constexpr uint32_t kNoGsi = 0xffff'ffff;
constexpr uint16_t kNoPorts = 0;

template <class T, class Put>
void put_list(ByteWriter& writer, const std::vector<T>& list, Put put) {
    writer.put(static_cast<uint32_t>(list.size()));
    for (const T& item : list) put(item);
}

template <class Get>
void get_list(ByteReader& reader, uint32_t most, Get get) {
    const auto count = reader.get<uint32_t>();
    if (count > most) return reader.fail();
    for (uint32_t i = 0; i < count && reader.ok(); ++i) get();
}

RamRange get_range(ByteReader& reader) {
    const Gpa base{reader.get<uint64_t>()};
    return RamRange{base, reader.get<uint64_t>()};
}

CpuidLeaf get_leaf(ByteReader& reader) {
    CpuidLeaf leaf;
    leaf.function = reader.get<uint32_t>();
    leaf.index = reader.get<uint32_t>();
    leaf.index_matters = reader.get<uint8_t>() != 0;
    leaf.eax = reader.get<uint32_t>();
    leaf.ebx = reader.get<uint32_t>();
    leaf.ecx = reader.get<uint32_t>();
    leaf.edx = reader.get<uint32_t>();
    return leaf;
}

void put_leaf(ByteWriter& writer, const CpuidLeaf& leaf) {
    writer.put(leaf.function);
    writer.put(leaf.index);
    writer.put(static_cast<uint8_t>(leaf.index_matters));
    for (const uint32_t value : {leaf.eax, leaf.ebx, leaf.ecx, leaf.edx}) writer.put(value);
}

DevicePlace get_place(ByteReader& reader) {
    DevicePlace place;
    place.kind = DeviceKind{reader.get<uint8_t>()};
    place.slot = reader.get<uint8_t>();
    const auto space = reader.get<uint8_t>();
    if (space > static_cast<uint8_t>(AddressSpace::kMemory)) reader.fail();
    place.space = AddressSpace{space};
    place.base = reader.get<uint64_t>();
    place.size = reader.get<uint64_t>();
    if (const auto gsi = reader.get<uint32_t>(); gsi != kNoGsi) place.gsi = gsi;
    const auto transport = reader.get<uint8_t>();
    if (transport > static_cast<uint8_t>(Transport::kMmio)) reader.fail();
    place.transport = Transport{transport};
    if (const auto ports = reader.get<uint16_t>(); ports != kNoPorts) place.ports = ports;
    place.pci_slot = reader.get<uint8_t>();
    return place;
}

void put_place(ByteWriter& writer, const DevicePlace& place) {
    writer.put(static_cast<uint8_t>(place.kind));
    writer.put(place.slot);
    writer.put(static_cast<uint8_t>(place.space));
    writer.put(place.base);
    writer.put(place.size);
    writer.put(place.gsi.value_or(kNoGsi));
    writer.put(static_cast<uint8_t>(place.transport));
    writer.put(place.ports.value_or(kNoPorts));
    writer.put(place.pci_slot);
}

// Whole pages, in order, none over another or over the end of the address space.
bool is_possible(const RamMap& ram) {
    if (ram.ranges.empty() || raw(ram.ranges.front().base) != 0) return false;
    uint64_t end = 0;
    for (const RamRange& range : ram.ranges) {
        const bool whole = (raw(range.base) | range.size) % kPageSize == 0 && range.size != 0;
        if (!whole || raw(range.base) < end || range.size > ~uint64_t{0} - raw(range.base)) return false;
        end = raw(range.end());
    }
    return true;
}

bool is_virtio(DeviceKind kind) {
    return kind >= DeviceKind::kEntropy && kind <= DeviceKind::kVsock;
}

bool is_possible(const DevicePlace& place) {
    const bool known = place.kind >= DeviceKind::kCom && place.kind <= DeviceKind::kPvpanic;
    const bool needs_gsi =
        place.kind == DeviceKind::kCom || is_virtio(place.kind) || place.kind == DeviceKind::kAcpiPm;
    // BAR 1 of a virtio function: 4 ports, above those of the board.
    const bool ports = !place.ports || (*place.ports >= address_map::kPciIoFirst && *place.ports % 4 == 0);
    const bool on_bus = place.transport == Transport::kPci;
    const bool slot = on_bus == (place.pci_slot != 0) && place.pci_slot < address_map::kPciSlots;
    return known && ports && slot && place.size != 0 && place.size <= ~uint64_t{0} - place.base &&
           (place.gsi || !needs_gsi);
}

bool meet(const DevicePlace& a, const DevicePlace& b) {
    const bool same_slot = a.pci_slot == b.pci_slot && a.pci_slot != 0;
    const bool same = same_slot || (a.kind == b.kind && a.slot == b.slot);
    const bool overlap = a.space == b.space && a.base < b.base + b.size && b.base < a.base + a.size;
    return same || overlap;
}

// Each one possible in itself, each in a place and a slot of its own.
bool are_possible(const std::vector<DevicePlace>& devices) {
    for (size_t i = 0; i < devices.size(); ++i) {
        if (!is_possible(devices[i])) return false;
        for (size_t j = 0; j < i; ++j) {
            if (meet(devices[i], devices[j])) return false;
        }
    }
    return true;
}

}  // namespace

const DevicePlace* MachineDescription::find(DeviceKind kind, uint8_t slot) const {
    const auto found = std::ranges::find_if(
        devices, [&](const DevicePlace& place) { return place.kind == kind && place.slot == slot; });
    return found != devices.end() ? &*found : nullptr;
}

void MachineDescription::save(ByteWriter& writer) const {
    const size_t part = writer.begin_part(kTag, kVersion);
    put_list(writer, ram.ranges, [&](const RamRange& range) {
        writer.put(raw(range.base));
        writer.put(range.size);
    });
    put_list(writer, apic_ids, [&](uint32_t id) { writer.put(id); });
    put_list(writer, cpuid, [&](const CpuidLeaf& leaf) { put_leaf(writer, leaf); });
    writer.put(tsc_khz);
    put_list(writer, msr_list, [&](uint32_t msr) { writer.put(msr); });
    put_list(writer, devices, [&](const DevicePlace& place) { put_place(writer, place); });
    writer.put(static_cast<uint8_t>(packed_rings));
    writer.end_part(part);
}

Result<MachineDescription> MachineDescription::restore(ByteReader& reader) {
    ByteReader in = reader.part(kTag, kVersion);
    MachineDescription read;
    get_list(in, kMostRanges, [&] { read.ram.ranges.push_back(get_range(in)); });
    get_list(in, kMostCpus, [&] { read.apic_ids.push_back(in.get<uint32_t>()); });
    get_list(in, kMostLeaves, [&] { read.cpuid.push_back(get_leaf(in)); });
    read.tsc_khz = in.get<uint32_t>();
    get_list(in, kMostMsrs, [&] { read.msr_list.push_back(in.get<uint32_t>()); });
    get_list(in, kMostDevices, [&] { read.devices.push_back(get_place(in)); });
    read.packed_rings = in.get<uint8_t>() != 0;
    const bool whole = in.ok() && in.at_end() && !read.apic_ids.empty();
    if (whole && is_possible(read.ram) && are_possible(read.devices)) return read;
    return host_error("the saved description of the machine is damaged");
}

}  // namespace carrel
