#include "devices/i8042.h"

#include "vmm/model/address_map_x86.h"

namespace carrel {

void I8042::read(uint64_t offset, std::span<std::byte> data) {
    for (std::byte& byte : data) {
        byte = offset == kData || offset == kCommand ? std::byte{0} : std::byte{0xff};
        ++offset;
    }
}

void I8042::write(uint64_t offset, std::span<const std::byte> data) {
    for (const std::byte byte : data)
        if (offset++ == kCommand && byte == std::byte{address_map::kI8042Reset}) power_.on_reset();
}

}  // namespace carrel
