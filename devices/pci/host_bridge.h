// HostBridge: function 00:00.0, which says that there is a PCI bus. PCI Local Bus Specification 3.0,
// section 6.1 and appendix D (base class 06h, subclass 00h).
//
// It decodes nothing and has nothing to be configured, so no bit of it can be written: no BARs, no interrupt
// pin, no capabilities, command 0. It says "one function", which spares a guest seven probes. Subsystem ids
// are optional for host bridges (6.2.4) and 0.
//
// Vendor 1b36 is Red Hat's, who keep it for virtual hardware; device 0008 is the generic PCI Express host
// bridge, which promises a guest nothing but the class code. Linux's early quirks (arch/x86/kernel) have no
// entry for the vendor and drivers/pci/quirks.c has one for 0005 only, so nothing is patched around. (Intel's
// 440FX, 8086:1237, which others pretend to be, gets quirk_natoma.)
#pragma once

#include <cstdint>

#include "devices/pci/config_space.h"
#include "devices/pci/function.h"
#include "vmm/base/mutex.h"

namespace carrel::pci {

class HostBridge final : public Function {
  public:
    static constexpr uint16_t kVendor = 0x1b36;
    static constexpr uint16_t kDevice = 0x0008;
    static constexpr uint8_t kClassBridge = 0x06;
    static constexpr uint8_t kSubclassHost = 0x00;

    HostBridge();

    std::string_view name() const override { return "pci-host-bridge"; }
    void read_config(uint32_t offset, std::span<std::byte> data) override EXCLUDES(mutex_);
    void write_config(uint32_t offset, std::span<const std::byte> data) override EXCLUDES(mutex_);
    void reset() override EXCLUDES(mutex_);
    void save(ByteWriter& writer) const override EXCLUDES(mutex_);
    Result<void> restore(ByteReader& reader) override EXCLUDES(mutex_);

  private:
    mutable Mutex mutex_;
    ConfigSpace config_ GUARDED_BY(mutex_);
};

}  // namespace carrel::pci
