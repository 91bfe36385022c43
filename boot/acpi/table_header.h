// What every ACPI table begins with, and how its length and checksum get there.
#pragma once

#include <array>
#include <cstdint>

#include "boot/acpi/encode.h"

namespace carrel::acpi {

// System Description Table Header (ACPI 6.5, 5.2.6).
struct [[gnu::packed]] TableHeader {
    std::array<char, 4> signature;
    uint32_t length;  // of the whole table
    uint8_t revision;
    uint8_t checksum;  // all bytes of the table add up to 0
    std::array<char, 6> oem_id;
    std::array<char, 8> oem_table_id;
    uint32_t oem_revision;
    std::array<char, 4> creator_id;
    uint32_t creator_revision;
};
static_assert(sizeof(TableHeader) == 36);

// Generic Address Structure (5.2.3.2): a register anywhere.
struct [[gnu::packed]] GenericAddress {
    uint8_t address_space_id;
    uint8_t register_bit_width;
    uint8_t register_bit_offset;
    uint8_t access_size;  // 1 byte, 2 word, 3 dword, 4 qword
    uint64_t address;
};
static_assert(sizeof(GenericAddress) == 12);

inline constexpr std::array<char, 6> kOemId{'C', 'A', 'R', 'R', 'E', 'L'};

// A header with our names in it; seal() fills in the length and the checksum.
TableHeader table_header(const char (&signature)[5], uint8_t revision);

// Sets length and checksum of a table that begins with a TableHeader.
Bytes seal(Bytes table);

// The byte that makes `bytes` add up to 0 (mod 256) when it takes the place of a 0 in them.
uint8_t checksum(std::span<const std::byte> bytes);

}  // namespace carrel::acpi
