#include "boot/acpi/aml_resource.h"

#include <limits>

#include "vmm/base/check.h"

namespace carrel::acpi::aml {
namespace {

// Small descriptors: bit 7 clear, bits 6-3 the type, bits 2-0 the length (6.4.2).
constexpr uint8_t kIrqDescriptor = 0x22;
constexpr uint8_t kIoPortDescriptor = 0x47;
constexpr uint8_t kEndTag = 0x79;
// Large descriptors: bit 7 set; a 16-bit length follows, which doesn't count these three bytes (6.4.3).
constexpr uint8_t kMemory32FixedDescriptor = 0x86;
constexpr uint8_t kDWordAddressSpaceDescriptor = 0x87;
constexpr uint8_t kWordAddressSpaceDescriptor = 0x88;
constexpr uint8_t kExtendedInterruptDescriptor = 0x89;
constexpr uint8_t kQWordAddressSpaceDescriptor = 0x8a;

// 6.4.3.5, byte 3: resource type.
enum class AddressSpace : uint8_t { kMemory = 0, kIo = 1, kBusNumber = 2 };

// 6.4.3.5, byte 4: general flags. The consumer bit (0) stays clear: a bridge produces.
constexpr uint8_t kMinFixed = 1 << 2;
constexpr uint8_t kMaxFixed = 1 << 3;
// 6.4.3.5.5, type-specific flags. Memory: bit 0 read-write, bits 2-1 = 0 not cacheable.
constexpr uint8_t kReadWrite = 1 << 0;
// I/O: both the ISA and the other ports.
constexpr uint8_t kEntireRange = 3;

ResourceDescriptor large(uint8_t tag, const Bytes& contents) {
    Bytes bytes;
    append(bytes, tag);
    append(bytes, static_cast<uint16_t>(contents.size()));
    append(bytes, contents);
    return {bytes};
}

// 6.4.3.5.1 (QWord), .2 (DWord), .3 (Word): the same layout with three widths.
template <class T>
ResourceDescriptor address_space(uint8_t tag, AddressSpace type, uint8_t type_flags, T first, T last) {
    CHECK(first <= last);
    const T length = static_cast<T>(last - first + 1);
    CHECK(length != 0);  // the whole of T's range can't be told
    Bytes bytes;
    append(bytes, type);
    append(bytes, static_cast<uint8_t>(kMinFixed | kMaxFixed));
    append(bytes, type_flags);
    append(bytes, T{0});  // granularity: both ends are fixed
    append(bytes, first);
    append(bytes, last);
    append(bytes, T{0});  // translation offset
    append(bytes, length);
    return large(tag, bytes);
}

}  // namespace

DataObject resource_template(const std::vector<ResourceDescriptor>& descriptors) {
    Bytes bytes;
    for (const ResourceDescriptor& descriptor : descriptors) append(bytes, descriptor.bytes);
    append(bytes, kEndTag);
    append(bytes, uint8_t{0});  // checksum: 0 means "as if it had been right" (6.4.2.9)
    return def_buffer(bytes);
}

ResourceDescriptor io(uint16_t base, uint8_t length) {
    constexpr uint8_t kDecode16 = 1;
    constexpr uint8_t kAlignment = 1;
    Bytes bytes;
    append(bytes, kIoPortDescriptor);
    append(bytes, kDecode16);
    append(bytes, base);  // minimum
    append(bytes, base);  // maximum
    append(bytes, kAlignment);
    append(bytes, length);
    return {bytes};
}

ResourceDescriptor irq_no_flags(uint32_t irq) {
    CHECK(irq < 16);
    Bytes bytes;
    append(bytes, kIrqDescriptor);
    append(bytes, static_cast<uint16_t>(1u << irq));
    return {bytes};
}

ResourceDescriptor memory32_fixed(Gpa base, uint32_t size) {
    constexpr uint8_t kWriteable = 1;
    CHECK(raw(base) + size <= 4 * kGiB);
    Bytes bytes;
    append(bytes, kWriteable);
    append(bytes, static_cast<uint32_t>(raw(base)));
    append(bytes, size);
    return large(kMemory32FixedDescriptor, bytes);
}

ResourceDescriptor interrupt(Trigger trigger, uint32_t gsi) {
    constexpr uint8_t kConsumer = 1 << 0;  // bit 2 clear: active high
    const uint8_t shared = trigger == Trigger::kLevel ? 1 << 3 : 0;
    Bytes bytes;
    append(bytes, static_cast<uint8_t>(kConsumer | static_cast<uint8_t>(trigger) << 1 | shared));
    append(bytes, uint8_t{1});  // interrupt table length
    append(bytes, gsi);
    return large(kExtendedInterruptDescriptor, bytes);
}

ResourceDescriptor word_bus_number(uint8_t first, uint8_t last) {
    return address_space<uint16_t>(kWordAddressSpaceDescriptor, AddressSpace::kBusNumber, 0, first, last);
}

ResourceDescriptor word_io(uint16_t first, uint16_t last) {
    return address_space(kWordAddressSpaceDescriptor, AddressSpace::kIo, kEntireRange, first, last);
}

ResourceDescriptor dword_memory(uint32_t first, uint32_t last) {
    return address_space(kDWordAddressSpaceDescriptor, AddressSpace::kMemory, kReadWrite, first, last);
}

ResourceDescriptor qword_memory(uint64_t first, uint64_t last) {
    return address_space(kQWordAddressSpaceDescriptor, AddressSpace::kMemory, kReadWrite, first, last);
}

}  // namespace carrel::acpi::aml
