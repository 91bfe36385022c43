#include "devices/pci/endpoint_config.h"

#include <bit>

#include "vmm/base/check.h"

namespace carrel::pci {

EndpointConfig::EndpointConfig(const Identity& identity, uint32_t bar_base, uint32_t bar_size)
    : space_(kConventionalSize) {
    CHECK(std::has_single_bit(bar_size) && bar_size >= 16 && bar_base % bar_size == 0);
    space_.define(kVendorId, identity.vendor);
    space_.define(kDeviceId, identity.device);
    space_.define(kCommand, uint16_t{0}, uint16_t{kCommandMemory | kCommandMaster | kCommandNoIntx});
    space_.define(kRevisionId, identity.revision);
    space_.define(kSubclass, identity.subclass);
    space_.define(kBaseClass, identity.base_class);
    space_.define(kBar0, bar_base, ~(bar_size - 1));
    space_.define(kSubsystemVendorId, identity.subsystem_vendor);
    space_.define(kSubsystemId, identity.subsystem);
    space_.define(kInterruptLine, uint8_t{0}, uint8_t{0xff});
    space_.define(kInterruptPin, identity.interrupt_pin);
}

void EndpointConfig::add_port_bar(uint16_t base, uint16_t size) {
    CHECK(std::has_single_bit(size) && size >= 4 && base % size == 0);
    constexpr uint32_t kPorts = 0xffff;  // x86 has no more; the upper half may be 0 (6.2.5.1)
    space_.define(kCommand, uint16_t{0},
                  uint16_t{kCommandIo | kCommandMemory | kCommandMaster | kCommandNoIntx});
    space_.define(kBar1, base | kBarIo, kPorts & ~(size - 1u));
}

uint32_t EndpointConfig::add_capability(CapabilityId id, std::span<const std::byte> body,
                                        std::span<const std::byte> writable) {
    constexpr uint32_t kHead = 2;  // id, pointer
    CHECK(writable.empty() || writable.size() == body.size());
    const uint32_t offset = end_;
    space_.define(kStatus, kStatusCapabilities);
    space_.define(link_, static_cast<uint8_t>(offset));
    space_.define(offset, static_cast<uint8_t>(id));
    link_ = offset + 1;
    for (size_t i = 0; i < body.size(); ++i) {
        space_.define(offset + kHead + static_cast<uint32_t>(i), body[i],
                      writable.empty() ? std::byte{0} : writable[i]);
    }
    end_ = (offset + kHead + static_cast<uint32_t>(body.size()) + 3) / 4 * 4;
    CHECK(end_ <= kConventionalSize);
    return offset;
}

std::optional<uint64_t> EndpointConfig::port_bar() const {
    const auto bar = get<uint32_t>(kBar1);
    if ((get<uint16_t>(kCommand) & kCommandIo) == 0 || (bar & kBarIo) == 0) return std::nullopt;
    return bar & ~kBarIo;
}

std::optional<uint64_t> EndpointConfig::bar() const {
    if ((get<uint16_t>(kCommand) & kCommandMemory) == 0) return std::nullopt;
    return get<uint32_t>(kBar0);
}

}  // namespace carrel::pci
