#include "devices/pci/config_space.h"

#include <algorithm>

#include "devices/pci/config_registers.h"
#include "vmm/base/check.h"

namespace carrel::pci {

ConfigSpace::ConfigSpace(size_t size) : values_(size), initial_(size), writable_(size) {
    CHECK(size == kConventionalSize || size == kExtendedSize);
}

void ConfigSpace::define_bytes(uint32_t offset, std::span<const std::byte> initial,
                               std::span<const std::byte> writable) {
    CHECK(offset <= values_.size() && initial.size() <= values_.size() - offset);
    std::copy(initial.begin(), initial.end(), initial_.begin() + offset);
    std::copy(initial.begin(), initial.end(), values_.begin() + offset);
    std::copy(writable.begin(), writable.end(), writable_.begin() + offset);
}

void ConfigSpace::read(uint32_t offset, std::span<std::byte> data) const {
    size_t at = offset;
    for (std::byte& byte : data) {
        byte = at < values_.size() ? values_[at] : std::byte{0xff};
        ++at;
    }
}

void ConfigSpace::write(uint32_t offset, std::span<const std::byte> data) {
    size_t at = offset;
    for (const std::byte byte : data) {
        if (at >= values_.size()) return;
        values_[at] = (values_[at] & ~writable_[at]) | (byte & writable_[at]);
        ++at;
    }
}

void ConfigSpace::restore(ByteReader& part) {
    const auto saved = part.get_bytes(values_.size());
    if (saved.size() != values_.size()) return part.fail();
    for (size_t i = 0; i < saved.size(); ++i)
        if (((saved[i] ^ initial_[i]) & ~writable_[i]) != std::byte{0}) return part.fail();
    std::copy(saved.begin(), saved.end(), values_.begin());
}

}  // namespace carrel::pci
