// Finds the tables in an image as an OS does: from the RSDP to the XSDT, to each table, and from the FADT on.
#pragma once

#include <cstring>
#include <map>
#include <span>
#include <string>

#include "boot/acpi/encode.h"
#include "vmm/model/gpa.h"

namespace carrel::acpi {

// A T at byte `offset`, which must be in the table.
template <class T>
T read_at(std::span<const std::byte> table, size_t offset) {
    T value;
    std::memcpy(&value, table.subspan(offset, sizeof value).data(), sizeof value);
    return value;
}

// Each table that can be reached in `image`, which lies at `base` and begins with the RSDP, by its signature.
// A pointer out of the image gives an empty table.
std::map<std::string, Bytes> walk_tables(const Bytes& image, Gpa base);

// Platforms that together use each line of the writer.
struct Platform;
std::map<std::string, Platform> sample_platforms();

}  // namespace carrel::acpi
