#include "devices/acpi_pm.h"

#include <algorithm>
#include <cstring>

#include "devices/saved_state.h"
#include "vmm/model/address_map_x86.h"

namespace carrel {
namespace {

constexpr std::string_view kTag = "ACPM";
constexpr uint16_t kVersion = 1;

template <class T>
void place(std::span<std::byte> image, size_t offset, T value) {
    std::memcpy(image.subspan(offset, sizeof value).data(), &value, sizeof value);
}

// `word` with byte `index` replaced.
uint16_t with_byte(uint16_t word, unsigned index, uint8_t value) {
    const unsigned shift = index * 8;
    return static_cast<uint16_t>((word & ~(0xffu << shift)) | (unsigned{value} << shift));
}

}  // namespace

AcpiPm::AcpiPm(const Clock& clock, IrqLine& sci, PowerListener& power)
    : clock_(clock), sci_(sci), power_(power) {
    MutexLock lock(mutex_);
    state_.timer_base = 0 - clock_ticks();
}

// Seconds and the rest apart, so that no product overflows.
uint32_t AcpiPm::clock_ticks() const {
    const Nanoseconds now = clock_.now();
    const int64_t whole = now / kSecond;
    const int64_t ticks = static_cast<int64_t>(static_cast<uint64_t>(whole) * uint64_t{kTimerHz}) +
                          now % kSecond * kTimerHz / kSecond;
    return static_cast<uint32_t>(ticks);
}

uint32_t AcpiPm::timer() const {
    return clock_ticks() + state_.timer_base;
}

AcpiPm::Image AcpiPm::image() const {
    Image image{};
    fill_ones(image);
    place(image, kStatus, state_.status);
    place(image, kEnable, state_.enable);
    place(image, kControl, static_cast<uint16_t>(state_.control | kSciEnable));
    place(image, kTimer, timer());
    return image;
}

void AcpiPm::read(uint64_t offset, std::span<std::byte> data) {
    MutexLock lock(mutex_);
    const Image bytes = image();
    for (std::byte& byte : data) {
        byte = offset < kSize ? bytes[offset] : std::byte{0xff};
        ++offset;
    }
}

void AcpiPm::write(uint64_t offset, std::span<const std::byte> data) {
    MutexLock lock(mutex_);
    for (const std::byte byte : data) write_register(offset++, std::to_integer<uint8_t>(byte));
    update_sci();
}

void AcpiPm::write_register(uint64_t offset, uint8_t value) {
    const unsigned index = offset & 1;
    switch (offset) {
        case kStatus:
        case kStatus + 1: state_.status &= static_cast<uint16_t>(~(unsigned{value} << (index * 8))); break;
        case kEnable:
        case kEnable + 1: state_.enable = with_byte(state_.enable, index, value) & kEventsKept; break;
        case kControl: state_.control = with_byte(state_.control, 0, value) & kControlKept; break;
        case kControl + 1: write_control_high(value); break;
        default: break;  // the timer is read-only
    }
}

// SLP_TYP and SLP_EN are both in the high byte (4.8.3.2.1).
void AcpiPm::write_control_high(uint8_t value) {
    const uint16_t written = with_byte(state_.control, 1, value);
    state_.control = written & kControlKept;
    if ((written & kSleepEnable) == 0) return;
    if ((written & kSleepType) >> kSleepTypeShift == address_map::kSleepTypeS5)
        power_.on_power_off();  // no other sleep state is announced
}

void AcpiPm::update_sci() {
    sci_.set((state_.status & state_.enable) != 0);
}

bool AcpiPm::press_power_button() {
    MutexLock lock(mutex_);
    state_.status |= kPowerButton;
    update_sci();
    return (state_.enable & kPowerButton) != 0;
}

void AcpiPm::reset() {
    MutexLock lock(mutex_);
    state_ = AcpiPmState{.timer_base = state_.timer_base};
    update_sci();
}

void AcpiPm::save(ByteWriter& writer) const {
    MutexLock lock(mutex_);
    const size_t start = writer.begin_part(kTag, kVersion);
    writer.put(state_.status);
    writer.put(state_.enable);
    writer.put(state_.control);
    writer.put(timer());
    writer.end_part(start);
}

Result<void> AcpiPm::restore(ByteReader& reader) {
    ByteReader part = reader.part(kTag, kVersion);
    AcpiPmState state;
    state.status = part.get<uint16_t>();
    state.enable = part.get<uint16_t>();
    state.control = part.get<uint16_t>();
    state.timer_base = part.get<uint32_t>() - clock_ticks();
    const bool possible = (state.status & ~kPowerButton) == 0 && (state.enable & ~kEventsKept) == 0 &&
                          (state.control & ~kControlKept) == 0;
    if (!complete(part) || !possible) {
        reset();
        return damaged_state(name());
    }
    MutexLock lock(mutex_);
    state_ = state;
    update_sci();
    return {};
}

}  // namespace carrel
