#include "boot/acpi/table_header.h"

#include <algorithm>
#include <cstring>

#include "vmm/base/check.h"

namespace carrel::acpi {

TableHeader table_header(const char (&signature)[5], uint8_t revision) {
    TableHeader header{};
    std::copy_n(signature, header.signature.size(), header.signature.begin());
    header.revision = revision;
    header.oem_id = kOemId;
    header.oem_table_id = {'C', 'A', 'R', 'R', 'E', 'L', ' ', ' '};
    header.oem_revision = 1;
    header.creator_id = {'C', 'R', 'R', 'L'};
    header.creator_revision = 1;
    return header;
}

Bytes seal(Bytes table) {
    CHECK(table.size() >= sizeof(TableHeader));
    const auto length = static_cast<uint32_t>(table.size());
    std::memcpy(table.data() + offsetof(TableHeader, length), &length, sizeof length);
    std::byte& sum = table[offsetof(TableHeader, checksum)];
    sum = std::byte{0};
    sum = std::byte{checksum(table)};
    return table;
}

uint8_t checksum(std::span<const std::byte> bytes) {
    uint8_t sum = 0;
    for (const std::byte byte : bytes) sum = static_cast<uint8_t>(sum + std::to_integer<uint8_t>(byte));
    return static_cast<uint8_t>(-sum);
}

}  // namespace carrel::acpi
