// Rtc: the clock and CMOS RAM of a PC. Motorola, MC146818 data sheet (1984); the century byte and port 0x70
// are IBM's. The ACPI tables don't announce it (FADT: no CMOS RTC), but kernels read it all the same.
//
// Missing: all interrupts. PIE, AIE, UIE and SQWE and the alarm are kept, and nothing comes of them: no IRQ
// 8, register C reads 0. Divider settings other than 010 (running) and 11x (stopped) count as running.
// Daylight saving (DSE) is kept, no effect. Bit 7 of the index (a PC's NMI mask) is ignored.
//
// The time is the host's, UTC, plus an offset that the guest makes by setting it. While the guest stops the
// clock (SET, or the divider in reset) the time registers are plain bytes; when it lets go, they are taken
// for the time. The data sheet's order of a setting; written while the clock runs, each register counts at
// once (so month 2 on the 31st is March 2nd or 3rd). The day of the week follows from the date.
//
// UIP is 1 in the last 244 us of each second, as in the data sheet; the registers are right at any moment, so
// the update itself takes no time. A kernel that reads the time meets UIP once in 4,000 readings.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "vmm/base/clock.h"
#include "vmm/base/mutex.h"
#include "vmm/bus/device.h"

namespace carrel {

// All that a guest can see, with the host's clock.
struct RtcState {
    static constexpr size_t kBytes = 128;

    uint8_t index = 0;
    // Registers and RAM. While the clock runs, the time registers in here mean nothing.
    std::array<uint8_t, kBytes> bytes{};
    int64_t offset_seconds = 0;      // guest's time - host's, rounded down
    int64_t offset_nanoseconds = 0;  // the rest: 0 to 999,999,999
};

class Rtc final : public Device {
  public:
    enum Offset : uint64_t {
        kIndex = 0,  // -w reads all ones
        kData = 1,   // rw the register that the index names
    };
    static constexpr uint64_t kSize = 2;

    // Data sheet, figure 12 "Address Map". All rw but where it says otherwise.
    enum Register : uint8_t {
        kSeconds = 0x00,
        kSecondsAlarm = 0x01,  // kept, no effect
        kMinutes = 0x02,
        kMinutesAlarm = 0x03,  // kept, no effect
        kHours = 0x04,
        kHoursAlarm = 0x05,  // kept, no effect
        kWeekday = 0x06,     // 1 is Sunday; a write counts only until the clock runs
        kDay = 0x07,
        kMonth = 0x08,
        kYear = 0x09,
        kControlA = 0x0a,
        kControlB = 0x0b,
        kFlags = 0x0c,    // r- register C: 0
        kValid = 0x0d,    // r- register D: VRT
        kRam = 0x0e,      // up to 0x7f
        kCentury = 0x32,  // IBM PC AT
    };
    enum ControlA : uint8_t {
        kUpdateInProgress = 1u << 7,  // r-
        kDivider = 7u << 4,           // rw 010: runs; 11x: stopped, and 0.5 s to the first second after it
        kDividerRunning = 2u << 4,
        kDividerReset = 6u << 4,
        kRate = 0x0f,  // rw kept, no effect
    };
    enum ControlB : uint8_t {
        kDaylightSaving = 1u << 0,     // rw kept, no effect
        k24Hours = 1u << 1,            // rw
        kBinary = 1u << 2,             // rw 0: BCD
        kSquareWave = 1u << 3,         // rw kept, no effect
        kUpdateInterrupt = 1u << 4,    // rw kept, no effect
        kAlarmInterrupt = 1u << 5,     // rw kept, no effect
        kPeriodicInterrupt = 1u << 6,  // rw kept, no effect
        kSet = 1u << 7,                // rw 1: the time registers stand still
        kClearedByReset = kSquareWave | kUpdateInterrupt | kAlarmInterrupt | kPeriodicInterrupt,
    };
    static constexpr uint8_t kValidRamAndTime = 1u << 7;
    static constexpr uint8_t kPm = 1u << 7;  // in the hours register, in 12-hour mode
    static constexpr Nanoseconds kUpdateWarning = 244 * kMicrosecond;
    static constexpr Nanoseconds kAfterDividerReset = kSecond / 2;

    // `clock` outlives the device.
    explicit Rtc(const Clock& clock);

    std::string_view name() const override { return "rtc"; }
    void read(uint64_t offset, std::span<std::byte> data) override EXCLUDES(mutex_);
    void write(uint64_t offset, std::span<const std::byte> data) override EXCLUDES(mutex_);
    // The RESET pin: time and RAM have a battery and stay.
    void reset() override EXCLUDES(mutex_);
    void save(ByteWriter& writer) const override EXCLUDES(mutex_);
    Result<void> restore(ByteReader& reader) override EXCLUDES(mutex_);

  private:
    // A moment of the guest's time: since 1970-01-01 00:00, nanoseconds below one second.
    struct Moment {
        int64_t seconds;
        int64_t nanoseconds;
    };

    uint8_t read_register() const REQUIRES(mutex_);
    uint8_t read_time(uint8_t index) const REQUIRES(mutex_);
    void write_register(uint8_t value) REQUIRES(mutex_);
    void write_control(uint8_t& control, uint8_t value) REQUIRES(mutex_);
    bool divider_reset() const REQUIRES(mutex_);
    bool running() const REQUIRES(mutex_);
    Moment host() const;
    Moment now() const REQUIRES(mutex_);
    void latch() REQUIRES(mutex_);
    void adopt(int64_t nanoseconds) REQUIRES(mutex_);

    const Clock& clock_;
    mutable Mutex mutex_;
    RtcState state_ GUARDED_BY(mutex_);
};

}  // namespace carrel
