#include "devices/rtc.h"

#include <algorithm>

#include "devices/rtc_calendar.h"
#include "devices/saved_state.h"

namespace carrel {
namespace {

constexpr std::string_view kTag = "CMOS";
constexpr uint16_t kVersion = 1;
// More than any time registers can say (year 16,665), less than the calendar's arithmetic bears.
constexpr int64_t kFarthestOffset = 600'000'000'000;

constexpr std::array<uint8_t, 8> kTimeRegisters = {Rtc::kSeconds, Rtc::kMinutes, Rtc::kHours, Rtc::kWeekday,
                                                   Rtc::kDay,     Rtc::kMonth,   Rtc::kYear,  Rtc::kCentury};

bool is_time(uint8_t index) {
    return std::find(kTimeRegisters.begin(), kTimeRegisters.end(), index) != kTimeRegisters.end();
}

rtc::Format format_of(uint8_t control_b) {
    return {.binary = (control_b & Rtc::kBinary) != 0, .hours_to_24 = (control_b & Rtc::k24Hours) != 0};
}

uint8_t encoded(const rtc::Fields& fields, uint8_t index, rtc::Format format) {
    switch (index) {
        case Rtc::kSeconds: return rtc::encode(fields.second, format);
        case Rtc::kMinutes: return rtc::encode(fields.minute, format);
        case Rtc::kHours: return rtc::encode_hour(fields.hour, format);
        case Rtc::kWeekday: return rtc::encode(fields.weekday, format);
        case Rtc::kDay: return rtc::encode(fields.day, format);
        case Rtc::kMonth: return rtc::encode(fields.month, format);
        case Rtc::kYear: return rtc::encode((fields.year % 100 + 100) % 100, format);
        default: return rtc::encode((fields.year / 100 % 100 + 100) % 100, format);
    }
}

rtc::Fields decoded(const std::array<uint8_t, RtcState::kBytes>& bytes) {
    const rtc::Format format = format_of(bytes[Rtc::kControlB]);
    return {.second = rtc::decode(bytes[Rtc::kSeconds], format),
            .minute = rtc::decode(bytes[Rtc::kMinutes], format),
            .hour = rtc::decode_hour(bytes[Rtc::kHours], format),
            .weekday = 0,
            .day = rtc::decode(bytes[Rtc::kDay], format),
            .month = rtc::decode(bytes[Rtc::kMonth], format),
            .year = rtc::decode(bytes[Rtc::kCentury], format) * 100 + rtc::decode(bytes[Rtc::kYear], format)};
}

}  // namespace

Rtc::Rtc(const Clock& clock) : clock_(clock) {
    MutexLock lock(mutex_);
    constexpr uint8_t kRate1024Hz = 6;  // what PC firmware leaves
    state_.bytes[kControlA] = kDividerRunning | kRate1024Hz;
    state_.bytes[kControlB] = k24Hours;
}

void Rtc::read(uint64_t offset, std::span<std::byte> data) {
    MutexLock lock(mutex_);
    for (std::byte& byte : data) byte = std::byte{offset++ == kData ? read_register() : uint8_t{0xff}};
}

void Rtc::write(uint64_t offset, std::span<const std::byte> data) {
    MutexLock lock(mutex_);
    for (const std::byte byte : data) {
        const auto value = std::to_integer<uint8_t>(byte);
        if (offset == kIndex) state_.index = value % RtcState::kBytes;
        if (offset == kData) write_register(value);
        ++offset;
    }
}

uint8_t Rtc::read_register() const {
    const uint8_t index = state_.index;
    if (is_time(index)) return read_time(index);
    switch (index) {
        case kControlA: {
            const bool soon = running() && now().nanoseconds >= kSecond - kUpdateWarning;
            return static_cast<uint8_t>(state_.bytes[kControlA] | (soon ? kUpdateInProgress : 0));
        }
        case kFlags: return 0;
        case kValid: return kValidRamAndTime;
        default: return state_.bytes[index];
    }
}

uint8_t Rtc::read_time(uint8_t index) const {
    if (!running()) return state_.bytes[index];
    return encoded(rtc::from_seconds(now().seconds), index, format_of(state_.bytes[kControlB]));
}

void Rtc::write_register(uint8_t value) {
    const uint8_t index = state_.index;
    switch (index) {
        case kControlA: return write_control(state_.bytes[kControlA], value & (kDivider | kRate));
        case kControlB: return write_control(state_.bytes[kControlB], value);
        case kFlags:
        case kValid: return;
        default: break;
    }
    const bool sets_clock = is_time(index) && running();
    if (sets_clock) latch();
    state_.bytes[index] = value;
    if (sets_clock) adopt(now().nanoseconds);
}

// Stops or starts the clock where the new value says so.
void Rtc::write_control(uint8_t& control, uint8_t value) {
    const bool ran = running();
    const bool was_reset = divider_reset();
    if (ran) latch();
    control = value;
    if (!ran && running()) adopt(was_reset ? kAfterDividerReset : now().nanoseconds);
}

bool Rtc::divider_reset() const {
    return (state_.bytes[kControlA] & kDividerReset) == kDividerReset;
}

bool Rtc::running() const {
    return !divider_reset() && (state_.bytes[kControlB] & kSet) == 0;
}

Rtc::Moment Rtc::host() const {
    const Nanoseconds wall = clock_.wall();
    const int64_t rest = (wall % kSecond + kSecond) % kSecond;
    return {(wall - rest) / kSecond, rest};
}

Rtc::Moment Rtc::now() const {
    const Moment wall = host();
    const int64_t nanoseconds = wall.nanoseconds + state_.offset_nanoseconds;
    return {wall.seconds + state_.offset_seconds + nanoseconds / kSecond, nanoseconds % kSecond};
}

// The running time into the registers, where it stands when the clock stops.
void Rtc::latch() {
    const rtc::Fields fields = rtc::from_seconds(now().seconds);
    const rtc::Format format = format_of(state_.bytes[kControlB]);
    for (const uint8_t index : kTimeRegisters) state_.bytes[index] = encoded(fields, index, format);
}

// The registers are the time from now on, `nanoseconds` into that second.
void Rtc::adopt(int64_t nanoseconds) {
    const Moment wall = host();
    const int64_t rest = nanoseconds - wall.nanoseconds;
    state_.offset_seconds = rtc::to_seconds(decoded(state_.bytes)) - wall.seconds - (rest < 0 ? 1 : 0);
    state_.offset_nanoseconds = rest < 0 ? rest + kSecond : rest;
}

void Rtc::reset() {
    MutexLock lock(mutex_);
    state_.index = 0;
    state_.bytes[kControlB] &= static_cast<uint8_t>(~kClearedByReset);
}

void Rtc::save(ByteWriter& writer) const {
    MutexLock lock(mutex_);
    const size_t start = writer.begin_part(kTag, kVersion);
    writer.put(state_.index);
    for (const uint8_t byte : state_.bytes) writer.put(byte);
    writer.put(state_.offset_seconds);
    writer.put(state_.offset_nanoseconds);
    writer.end_part(start);
}

Result<void> Rtc::restore(ByteReader& reader) {
    ByteReader part = reader.part(kTag, kVersion);
    RtcState state;
    state.index = part.get<uint8_t>();
    for (uint8_t& byte : state.bytes) byte = part.get<uint8_t>();
    state.offset_seconds = part.get<int64_t>();
    state.offset_nanoseconds = part.get<int64_t>();
    const bool possible =
        state.index < RtcState::kBytes && (state.bytes[kControlA] & kUpdateInProgress) == 0 &&
        state.offset_seconds <= kFarthestOffset && state.offset_seconds >= -kFarthestOffset &&
        state.offset_nanoseconds >= 0 && state.offset_nanoseconds < kSecond;
    if (!complete(part) || !possible) {
        reset();
        return damaged_state(name());
    }
    MutexLock lock(mutex_);
    state_ = state;
    return {};
}

}  // namespace carrel
