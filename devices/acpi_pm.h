// AcpiPm: the fixed hardware of ACPI. ACPI Specification 6.5, section 4.8.3 (registers), 4.8.2 (power
// button), 4.8.1 (PM timer).
//
// Missing: TMR_STS (a 32-bit timer, FADT TMR_VAL_EXT, needs no overflow interrupt), BM_STS, GBL_STS (no
// firmware shares the global lock), SLPBTN_STS, RTC_STS, WAK_STS: these bits never become 1, their enable
// bits are kept. No SMI_CMD: the machine is in ACPI mode from the start, so SCI_EN is always 1. Sleep states
// other than S5 are ignored and counted. PM1b, PM2 and GPE blocks don't exist.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "vmm/base/clock.h"
#include "vmm/base/mutex.h"
#include "vmm/bus/device.h"
#include "vmm/bus/irq_line.h"
#include "vmm/bus/power_listener.h"

namespace carrel {

// All that a guest can see.
struct AcpiPmState {
    uint16_t status = 0;
    uint16_t enable = 0;
    uint16_t control = 0;     // without SCI_EN
    uint32_t timer_base = 0;  // PM timer = ticks of our clock + this; saved as the timer's value
};

class AcpiPm final : public Device {
  public:
    // Registers are little-endian and may be accessed by bytes.
    enum Offset : uint64_t {
        kStatus = 0,   // rw PM1a_STS, 16 bits, write 1 to clear
        kEnable = 2,   // rw PM1a_EN, 16 bits
        kControl = 4,  // rw PM1a_CNT, 16 bits
        kTimer = 8,    // r- PM_TMR, 32 bits. Offsets 6 and 7 read all ones
    };
    static constexpr uint64_t kSize = 12;

    // 4.8.3.1.1 and 4.8.3.1.2
    enum Event : uint16_t {
        kTimerOverflow = 1u << 0,
        kGlobalLock = 1u << 5,
        kPowerButton = 1u << 8,
        kSleepButton = 1u << 9,
        kRtc = 1u << 10,
        kEventsKept = kTimerOverflow | kGlobalLock | kPowerButton | kSleepButton | kRtc,
    };
    // 4.8.3.2.1
    enum Control : uint16_t {
        kSciEnable = 1u << 0,        // r- 1
        kBusMasterReload = 1u << 1,  // rw no effect
        kGlobalRelease = 1u << 2,    // -w reads 0, no effect
        kSleepType = 7u << 10,       // rw
        kSleepEnable = 1u << 13,     // -w reads 0
        kControlKept = kBusMasterReload | kSleepType,
    };
    static constexpr unsigned kSleepTypeShift = 10;
    static constexpr int64_t kTimerHz = 3'579'545;  // 4.8.1

    // All of them outlive the device. `sci` is level-triggered. `clock.now()` may be any monotonic time.
    AcpiPm(const Clock& clock, IrqLine& sci, PowerListener& power);

    std::string_view name() const override { return "acpi-pm"; }
    void read(uint64_t offset, std::span<std::byte> data) override EXCLUDES(mutex_);
    void write(uint64_t offset, std::span<const std::byte> data) override EXCLUDES(mutex_);
    // The PM timer runs on.
    void reset() override EXCLUDES(mutex_);
    void save(ByteWriter& writer) const override EXCLUDES(mutex_);
    Result<void> restore(ByteReader& reader) override EXCLUDES(mutex_);

    // Asks the guest to shut down. Any thread. False: the guest hasn't enabled the button, so that nothing
    // happens until it does.
    bool press_power_button() EXCLUDES(mutex_);

  private:
    using Image = std::array<std::byte, kSize>;
    Image image() const REQUIRES(mutex_);
    uint32_t timer() const REQUIRES(mutex_);
    uint32_t clock_ticks() const;
    void write_register(uint64_t offset, uint8_t value) REQUIRES(mutex_);
    void write_control_high(uint8_t value) REQUIRES(mutex_);
    void update_sci() REQUIRES(mutex_);

    const Clock& clock_;
    IrqLine& sci_;
    PowerListener& power_;
    mutable Mutex mutex_;
    AcpiPmState state_ GUARDED_BY(mutex_);
};

}  // namespace carrel
