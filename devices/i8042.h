// I8042: the reset line of a PC's keyboard controller, and nothing else of it.
// Intel, UPI-C42/UPI-L42 (8242) data sheet; IBM PC/AT Technical Reference, "Keyboard Controller", for the
// commands. The ACPI tables say that there is no 8042 (FADT IAPC_BOOT_ARCH bit 1 = 0).
//
// Missing: keyboard, mouse, all commands but 0xfe, the A20 gate. Reads are 0, not all ones: bit 1 of the
// status is "input buffer full", and a guest that sees it set waits for it to clear before it dares send the
// reset command (0.34 s of a reboot, KVM-FACTS.md).
#pragma once

#include <cstdint>
#include <span>

#include "vmm/bus/device.h"
#include "vmm/bus/power_listener.h"

namespace carrel {

// Attach at 0x60 with kSize. Ports 0x61 (KVM's PIT answers it), 0x62 and 0x63 in between read all ones.
class I8042 final : public Device {
  public:
    enum Offset : uint64_t {
        kData = 0,     // rw 0x60: reads 0, writes are ignored
        kCommand = 4,  // r- 0x64 status: reads 0;  -w command
    };
    static constexpr uint64_t kSize = 5;

    explicit I8042(PowerListener& power) : power_(power) {}

    std::string_view name() const override { return "i8042"; }
    void read(uint64_t offset, std::span<std::byte> data) override;
    void write(uint64_t offset, std::span<const std::byte> data) override;

  private:
    PowerListener& power_;
};

}  // namespace carrel
