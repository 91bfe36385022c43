// ConfigPorts: PCI configuration mechanism #1, ports 0xcf8 to 0xcff. PCI Local Bus Specification 3.0, section
// 3.2.2.3.2 "Software Generation of Configuration Transactions".
//
//   31     30-28   27-24          23-16   15-11    10-8       7-2       1-0
//   enable  0      register 11:8  bus     device   function   register   0      CONFIG_ADDRESS
//
// Bits 27-24 are AMD's extension (BIOS and Kernel Developer's Guide, family 10h, section 2.11 "Configuration
// Space"; Linux uses it on AMD processors): without them a guest's look beyond byte 255 would find byte 0.
//
// CONFIG_ADDRESS answers to dwords only (3.2.2.3.2: anything else passes on to the I/O bus), because chipsets
// have other registers at the same ports: ours is the reset control register at 0xcf9, a device of its own
// that gets the byte accesses there. A Bus goes by address alone and would cut a dword at 0xcf8 in pieces if
// 0xcf9 were attached by itself: the second byte of an ordinary address, function and slot, might then reset
// the machine. Hence this device covers all eight ports and hands 0xcf9 on.
//
// A write of CONFIG_ADDRESS has no effect that anybody could wait for, so the machine may let KVM collect
// such writes (KVM_CAP_COALESCED_PIO), under the two rules of serial.h; it halves the exits of a scan. Mind
// that KVM's zone has no widths: one of 4 bytes at 0xcf8 takes the byte at 0xcf9, too, and the reset comes
// with the next exit only. So where that is done, the ACPI tables should name another port for the reset.
//
// Missing: mechanism #2 (withdrawn), special cycles (a write to slot 31, function 7, register 0 of bus 0 goes
// to nobody).
#pragma once

#include <cstdint>
#include <span>

#include "devices/pci/root_bus.h"
#include "vmm/base/mutex.h"
#include "vmm/bus/device.h"

namespace carrel::pci {

// All that a guest can see of the ports themselves.
struct ConfigPortsState {
    uint32_t address = 0;
};

// Attach at 0xcf8 with kSize. Saves, restores and resets the functions of its bus, too.
class ConfigPorts final : public Device {
  public:
    enum Offset : uint64_t {
        kAddress = 0,       // rw 0xcf8, dword only
        kResetControl = 1,  // 0xcf9, byte only: the device passed in
        kData = 4,          // rw 0xcfc to 0xcff: the bytes of the dword that CONFIG_ADDRESS names
    };
    static constexpr uint64_t kSize = 8;
    static constexpr uint32_t kEnable = uint32_t{1} << 31;
    static constexpr uint32_t kAddressMask = 0x8fff'fffc;

    // Both outlive the device. `reset_control` sees offset 0.
    ConfigPorts(RootBus& bus, Device& reset_control) : bus_(bus), reset_control_(reset_control) {}

    std::string_view name() const override { return "pci-config"; }
    void read(uint64_t offset, std::span<std::byte> data) override EXCLUDES(mutex_);
    void write(uint64_t offset, std::span<const std::byte> data) override EXCLUDES(mutex_);
    void reset() override EXCLUDES(mutex_);
    void save(ByteWriter& writer) const override EXCLUDES(mutex_);
    Result<void> restore(ByteReader& reader) override EXCLUDES(mutex_);

  private:
    uint32_t address() const EXCLUDES(mutex_);
    void set_address(uint32_t address) EXCLUDES(mutex_);

    RootBus& bus_;
    Device& reset_control_;
    mutable Mutex mutex_;  // never held while a function is called
    ConfigPortsState state_ GUARDED_BY(mutex_);
};

}  // namespace carrel::pci
