#include "devices/pci/ecam.h"

#include <algorithm>

namespace carrel::pci {
namespace {

ConfigAddress address_of(uint64_t offset) {
    return {static_cast<uint8_t>(offset >> 20), static_cast<uint8_t>(offset >> 15 & 0x1f),
            static_cast<uint8_t>(offset >> 12 & 7), static_cast<uint16_t>(offset & 0xfff)};
}

// A function sees one aligned dword at a time, or a part of it.
template <class Bytes, class Access>
void by_dwords(uint64_t offset, Bytes data, Access access) {
    while (!data.empty()) {
        const auto part = data.first(std::min<size_t>(data.size(), 4 - offset % 4));
        access(address_of(offset), part);
        offset += part.size();
        data = data.subspan(part.size());
    }
}

}  // namespace

void Ecam::read(uint64_t offset, std::span<std::byte> data) {
    by_dwords(offset, data,
              [this](const ConfigAddress& at, std::span<std::byte> part) { bus_.read(at, part); });
}

void Ecam::write(uint64_t offset, std::span<const std::byte> data) {
    by_dwords(offset, data,
              [this](const ConfigAddress& at, std::span<const std::byte> part) { bus_.write(at, part); });
}

}  // namespace carrel::pci
