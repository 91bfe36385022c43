#include "devices/pci/config_ports.h"

#include <cstring>

#include "devices/saved_state.h"

namespace carrel::pci {
namespace {

constexpr std::string_view kTag = "PCIC";
constexpr uint16_t kVersion = 1;

// Which register an access hits. A wide access that lies across two of them hits neither.
enum class Target { kNone, kAddress, kReset, kData };

Target target(uint64_t offset, size_t width) {
    if (offset == ConfigPorts::kAddress && width == sizeof(uint32_t)) return Target::kAddress;
    if (offset == ConfigPorts::kResetControl && width == 1) return Target::kReset;
    const bool in_data = offset >= ConfigPorts::kData && offset < ConfigPorts::kSize &&
                         width <= ConfigPorts::kSize - offset && width != 0;
    return in_data ? Target::kData : Target::kNone;
}

ConfigAddress decode(uint32_t address, uint64_t byte) {
    return {.bus = static_cast<uint8_t>(address >> 16),
            .slot = static_cast<uint8_t>(address >> 11 & 0x1f),
            .function = static_cast<uint8_t>(address >> 8 & 0x07),
            .offset = static_cast<uint16_t>((address >> 16 & 0xf00) | (address & 0xfc) | byte)};
}

}  // namespace

void ConfigPorts::read(uint64_t offset, std::span<std::byte> data) {
    const uint32_t current = address();
    switch (target(offset, data.size())) {
        case Target::kAddress: std::memcpy(data.data(), &current, sizeof current); return;
        case Target::kReset: reset_control_.read(0, data); return;
        case Target::kData:
            if ((current & kEnable) != 0) return bus_.read(decode(current, offset - kData), data);
            return fill_ones(data);
        case Target::kNone: fill_ones(data); return;
    }
}

void ConfigPorts::write(uint64_t offset, std::span<const std::byte> data) {
    switch (target(offset, data.size())) {
        case Target::kAddress: {
            uint32_t value = 0;
            std::memcpy(&value, data.data(), sizeof value);
            set_address(value & kAddressMask);
            return;
        }
        case Target::kReset: reset_control_.write(0, data); return;
        case Target::kData: {
            const uint32_t current = address();
            if ((current & kEnable) != 0) bus_.write(decode(current, offset - kData), data);
            return;
        }
        case Target::kNone: return;
    }
}

uint32_t ConfigPorts::address() const {
    MutexLock lock(mutex_);
    return state_.address;
}

void ConfigPorts::set_address(uint32_t address) {
    MutexLock lock(mutex_);
    state_.address = address;
}

void ConfigPorts::reset() {
    set_address(0);
    reset_control_.reset();
    bus_.reset();
}

void ConfigPorts::save(ByteWriter& writer) const {
    const size_t start = writer.begin_part(kTag, kVersion);
    writer.put(address());
    bus_.save(writer);
    writer.end_part(start);
}

Result<void> ConfigPorts::restore(ByteReader& reader) {
    ByteReader part = reader.part(kTag, kVersion);
    const auto address = part.get<uint32_t>();
    auto functions = bus_.restore(part);
    if (functions.ok() && complete(part) && (address & ~kAddressMask) == 0) {
        set_address(address);
        return {};
    }
    reset();
    return functions.ok() ? Result<void>(damaged_state(name())) : functions;
}

}  // namespace carrel::pci
