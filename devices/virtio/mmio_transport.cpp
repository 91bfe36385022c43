#include "devices/virtio/mmio_transport.h"

#include <algorithm>
#include <cstring>

#include "devices/saved_state.h"
#include "devices/virtio/pci_layout.h"

namespace carrel::virtio {
namespace {

constexpr std::string_view kTag = "VMIO";
constexpr uint16_t kSavedVersion = 1;
constexpr uint32_t kWidth = 4;  // 4.2.2.2: of each control register
constexpr uint64_t kLowHalf = 0xffff'ffff;

}  // namespace

MmioTransport::MmioTransport(VirtioDevice& device, std::unique_ptr<DeviceRunner> runner,
                             const MmioWiring& wiring, std::unique_ptr<IrqLine> line)
    : name_(device.name()),
      wiring_(wiring),
      runner_(std::move(runner)),
      interrupts_(std::move(line)),
      core_(device, offered_queue_features(wiring.packed_rings), broken_) {
    device.connect(wiring.memory, *this);
}

MmioTransport::~MmioTransport() {
    runner_.reset();  // nobody works for the device any more
    MutexLock lock(mutex_);
    core_.device().reset();
    doorbells_.clear();
}

// A driver reads a control register whole (4.2.2.2); any other width or place finds the bytes that lie there.
void MmioTransport::read(uint64_t offset, std::span<std::byte> data) {
    std::ranges::fill(data, std::byte{0});
    MutexLock lock(mutex_);
    if (offset >= kMmioConfig) return core_.device().read_config(offset - kMmioConfig, data);
    for (size_t done = 0; done < data.size() && offset + done < kMmioConfig;) {
        const auto at = static_cast<uint32_t>(offset + done);
        const uint32_t word = control(MmioRegister{at / kWidth * kWidth}) >> at % kWidth * 8;
        const size_t part = std::min<size_t>(kWidth - at % kWidth, data.size() - done);
        std::memcpy(&data[done], &word, part);
        done += part;
    }
}

// Writes must have the register's width and place (4.2.2.2); others are ignored.
void MmioTransport::write(uint64_t offset, std::span<const std::byte> data) {
    MutexLock lock(mutex_);
    if (offset >= kMmioConfig) return core_.device().write_config(offset - kMmioConfig, data);
    uint32_t value = 0;
    if (data.size() != sizeof value) return;
    std::memcpy(&value, data.data(), sizeof value);
    set_control(MmioRegister{static_cast<uint32_t>(offset)}, value);
}

uint32_t MmioTransport::control(MmioRegister reg) const {
    using enum MmioRegister;
    switch (reg) {
        case kMagicValue: return kMmioMagic;
        case kVersion: return kMmioVersion;
        case kDeviceId: return static_cast<uint32_t>(core_.device().type());
        case kVendorId: return kVirtioVendor;
        case kDeviceFeatures: return core_.device_feature();
        case kQueueSizeMax: return core_.largest_size();
        case kQueueReady: return core_.selected() != nullptr && core_.selected()->ready ? 1 : 0;
        case kInterruptStatus: return interrupts_.status();
        case kStatus: return core_.status();
        case kShmLenLow:  // 4.2.2.1: of a region that doesn't exist
        case kShmLenHigh:
        case kShmBaseLow:
        case kShmBaseHigh: return ~uint32_t{0};
        case kConfigGeneration: return generation_.load();
        default: return 0;
    }
}

void MmioTransport::set_control(MmioRegister reg, uint32_t value) {
    using enum MmioRegister;
    constexpr uint32_t kNoQueue = 0xffff;  // more than any device has
    if (set_area(reg, value)) return;
    switch (reg) {
        case kDeviceFeaturesSel: core_.device_feature_select = value; return;
        case kDriverFeatures: return core_.set_driver_feature(value);
        case kDriverFeaturesSel: core_.driver_feature_select = value; return;
        case kQueueSel: core_.queue_select = static_cast<uint16_t>(std::min(value, kNoQueue)); return;
        case kQueueSize: return core_.set_size(static_cast<uint16_t>(std::min(value, kNoQueue)));
        case kQueueReady: return set_ready(value);
        case kQueueReset:
            if (value == 1 && core_.reset_queue()) bind_doorbells();
            return;
        case kQueueNotify: return notify(value);
        case kInterruptAck: return interrupts_.acknowledge(value);
        case kStatus: return set_status(value);
        default: return;
    }
}

// 4.2.3.2: a driver that stops using a queue writes 0 and reads it back.
void MmioTransport::set_ready(uint32_t ready) {
    if (ready > 1) return;
    if (ready == 1)
        core_.enable();
    else if (!core_.stop_queue())
        return;
    bind_doorbells();
}

// Half of one of the queue's addresses; false: that isn't what the register is.
bool MmioTransport::set_area(MmioRegister reg, uint32_t value) {
    const auto low = [&](Gpa QueueState::*area) REQUIRES(mutex_) { core_.set_area(area, value, kLowHalf); };
    const auto high = [&](Gpa QueueState::*area)
                          REQUIRES(mutex_) { core_.set_area(area, uint64_t{value} << 32, ~kLowHalf); };
    using enum MmioRegister;
    switch (reg) {
        case kQueueDescLow: low(&QueueState::descriptor_area); return true;
        case kQueueDescHigh: high(&QueueState::descriptor_area); return true;
        case kQueueDriverLow: low(&QueueState::driver_area); return true;
        case kQueueDriverHigh: high(&QueueState::driver_area); return true;
        case kQueueDeviceLow: low(&QueueState::device_area); return true;
        case kQueueDeviceHigh: high(&QueueState::device_area); return true;
        default: return false;
    }
}

// 4.2.2.1 and 4.2.3.1: zero resets; there are no bits beyond the eighth.
void MmioTransport::set_status(uint32_t status) {
    const auto bits = static_cast<uint8_t>(status);
    if (status != 0 && bits == 0) return;
    if (bits == 0) doorbells_.clear();
    if (!core_.set_status(bits)) return;
    if (bits == 0) interrupts_.reset();
    bind_doorbells();
}

// By an exit, where no doorbell is bound. Before DRIVER_OK there is nothing to be notified of (4.2.3.3).
void MmioTransport::notify(uint32_t queue) {
    if (queue >= core_.queues() || !core_.active()) return;
    if (core_.ready(static_cast<uint16_t>(queue))) runner_->ring(static_cast<uint16_t>(queue));
}

// One that can't be bound costs exits, nothing else.
void MmioTransport::bind_doorbells() {
    doorbells_.clear();
    if (!core_.active()) return;
    const uint64_t address = wiring_.base + static_cast<uint32_t>(MmioRegister::kQueueNotify);
    for (uint16_t queue = 0; queue < core_.queues(); ++queue) {
        if (!core_.ready(queue)) continue;
        auto doorbell =
            wiring_.doorbells.bind(AddressSpace::kMemory, address, kWidth, queue, runner_->fd(queue));
        if (doorbell.ok()) doorbells_.push_back(std::move(*doorbell));
    }
}

void MmioTransport::config_changed() {
    generation_.fetch_add(1);  // 4.2.2.1
    interrupts_.signal(MmioInterrupts::kConfigChange);
}

// 2.1.2: a driver that still listens is told.
void MmioTransport::needs_reset() {
    broken_ = true;
    interrupts_.signal(MmioInterrupts::kConfigChange);
}

void MmioTransport::reset() {
    MutexLock lock(mutex_);
    reset_all();
}

void MmioTransport::reset_all() {
    doorbells_.clear();
    core_.device().reset();
    core_.reset();
    interrupts_.reset();
    generation_ = 0;
}

void MmioTransport::save(ByteWriter& writer) const {
    const size_t start = writer.begin_part(kTag, kSavedVersion);
    MutexLock lock(mutex_);
    interrupts_.save(writer);
    writer.put(generation_.load());
    core_.save(writer);
    writer.end_part(start);
}

Result<void> MmioTransport::restore(ByteReader& reader) {
    ByteReader part = reader.part(kTag, kSavedVersion);
    MutexLock lock(mutex_);
    reset_all();
    interrupts_.restore(part);
    generation_ = part.get<uint32_t>();
    const auto restored = part.ok() ? core_.restore(part) : damaged_state(name_);
    if (restored.ok() && complete(part)) {
        bind_doorbells();
        return {};
    }
    reset_all();
    return damaged_state(name_);
}

}  // namespace carrel::virtio
