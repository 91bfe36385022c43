#include "boot/acpi/encode.h"

namespace carrel::acpi {

void append_bytes(Bytes& to, std::span<const std::byte> more) {
    to.insert(to.end(), more.begin(), more.end());
}

}  // namespace carrel::acpi
