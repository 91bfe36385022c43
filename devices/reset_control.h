// ResetControl: the reset control register that PC chipsets have at port 0xcf9 (RST_CNT).
// Intel, I/O Controller Hub 9 (ICH9) Family Datasheet, section 13.7.5; ACPI 6.5, section 4.8.3.6 lets the
// FADT name it as the reset register.
//
//   bit 1  SYS_RST  -w  kind of reset
//   bit 2  RST_CPU  -w  1: reset now
//   bit 3  FULL_RST -w  kind of reset
//
// Missing: the kinds of reset (all are the same here), so nothing is kept and the register reads 0. The
// datasheet resets on a change of bit 2 from 0 to 1; with nothing kept, every write with bit 2 is one.
#pragma once

#include <cstdint>
#include <span>

#include "vmm/bus/device.h"
#include "vmm/bus/power_listener.h"

namespace carrel {

// Port 0xcf9 lies inside the dword of 0xcf8, so pci::ConfigPorts hands byte accesses on to it. Stateless: may
// be attached at a second port, too.
class ResetControl final : public Device {
  public:
    static constexpr uint64_t kSize = 1;
    static constexpr uint8_t kResetCpu = 1u << 2;

    explicit ResetControl(PowerListener& power) : power_(power) {}

    std::string_view name() const override { return "reset"; }
    void read(uint64_t, std::span<std::byte> data) override {
        for (std::byte& byte : data) byte = std::byte{0};
    }
    void write(uint64_t offset, std::span<const std::byte> data) override {
        if (offset != 0 || data.empty()) return;
        if ((data[0] & std::byte{kResetCpu}) != std::byte{0}) power_.on_reset();
    }

  private:
    PowerListener& power_;
};

}  // namespace carrel
