#include "devices/pci/pvpanic.h"

#include <algorithm>

#include "devices/saved_state.h"

namespace carrel::pci {
namespace {

constexpr std::string_view kTag = "PVPN";
constexpr uint16_t kVersion = 1;
constexpr Identity kIdentity{.vendor = Pvpanic::kVendor,
                             .device = Pvpanic::kDevice,
                             .revision = 1,
                             .base_class = Pvpanic::kClassSystem,
                             .subclass = Pvpanic::kSubclassOther,
                             .subsystem_vendor = Pvpanic::kVendor,
                             .subsystem = Pvpanic::kDevice,
                             .interrupt_pin = 0};

}  // namespace

void Pvpanic::Register::read(uint64_t offset, std::span<std::byte> data) {
    std::ranges::fill(data, std::byte{0});
    if (offset == 0) data[0] = std::byte{kPanicked | kCrashLoaded};
}

void Pvpanic::Register::write(uint64_t offset, std::span<const std::byte> data) {
    if (offset != 0) return;
    const auto events = std::to_integer<uint8_t>(data[0]);
    if ((events & kPanicked) != 0) return listener_.on_panic();
    if ((events & kCrashLoaded) != 0) listener_.on_crash_kernel();
}

Pvpanic::Pvpanic(BarSpace& bars, PanicListener& listener, uint32_t bar_base)
    : bars_(bars), register_(listener), config_(kIdentity, bar_base, kSize) {}

Pvpanic::~Pvpanic() {
    MutexLock lock(mutex_);
    if (bar_) bars_.place(register_, AddressSpace::kMemory, std::nullopt, kSize);
}

void Pvpanic::read_config(uint32_t offset, std::span<std::byte> data) {
    MutexLock lock(mutex_);
    config_.read(offset, data);
}

void Pvpanic::write_config(uint32_t offset, std::span<const std::byte> data) {
    MutexLock lock(mutex_);
    config_.write(offset, data);
    place_bar();
}

void Pvpanic::place_bar() {
    const auto wanted = config_.bar();
    if (wanted == bar_) return;
    bar_ = bars_.place(register_, AddressSpace::kMemory, wanted, kSize) ? wanted : std::nullopt;
}

void Pvpanic::reset() {
    MutexLock lock(mutex_);
    config_.reset();
    place_bar();
}

void Pvpanic::save(ByteWriter& writer) const {
    MutexLock lock(mutex_);
    const size_t start = writer.begin_part(kTag, kVersion);
    config_.save(writer);
    writer.end_part(start);
}

Result<void> Pvpanic::restore(ByteReader& reader) {
    ByteReader part = reader.part(kTag, kVersion);
    MutexLock lock(mutex_);
    config_.restore(part);
    const bool good = complete(part);
    if (!good) config_.reset();
    place_bar();
    if (good) return {};
    return damaged_state(name());
}

}  // namespace carrel::pci
