// Ecam: configuration space as memory. PCI Express Base Specification 5.0, section 7.2.2 "PCI Express
// Enhanced Configuration Access Mechanism".
//
//   27     20 19    15 14      12 11       0
//   │ bus    │ slot   │ function │ offset  │
//
// Linux takes it for offsets beyond 255 only, and complains where a PCI Express host bridge hasn't got it.
#pragma once

#include "devices/pci/root_bus.h"
#include "vmm/bus/device.h"

namespace carrel::pci {

class Ecam final : public Device {
  public:
    static constexpr uint64_t kSize = uint64_t{1} << 20;  // bus 0

    // `bus` outlives it. What a guest can see here is the functions', which ConfigPorts saves and resets.
    explicit Ecam(RootBus& bus) : bus_(bus) {}

    std::string_view name() const override { return "pci-ecam"; }
    void read(uint64_t offset, std::span<std::byte> data) override;
    void write(uint64_t offset, std::span<const std::byte> data) override;

  private:
    RootBus& bus_;
};

}  // namespace carrel::pci
