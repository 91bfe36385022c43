#include "devices/virtio/transport_core.h"

#include "devices/saved_state.h"

namespace carrel::virtio {
namespace {
// 2.1: what a driver may set.
constexpr uint8_t kDriverBits = kAcknowledge | kDriver | kDriverOk | kFeaturesOk | kFailed;
}  // namespace

TransportCore::TransportCore(VirtioDevice& device, uint64_t queue_features, std::atomic<bool>& broken)
    : device_(device),
      queue_features_(queue_features),
      queues_(device.queue_sizes().size()),
      broken_(broken) {
    reset();
}

QueueFeatures TransportCore::ring_features() const {
    return {(accepted_ & kRingPacked) != 0, (accepted_ & kEventIdx) != 0, (accepted_ & kIndirectDesc) != 0};
}

// 4.1.4.3: a window of 32 bits; there are features up to bit 63.
uint32_t TransportCore::device_feature() const {
    return device_feature_select < 2 ? static_cast<uint32_t>(offered() >> device_feature_select * 32) : 0;
}

uint32_t TransportCore::driver_feature() const {
    return driver_feature_select < 2 ? static_cast<uint32_t>(accepted_ >> driver_feature_select * 32) : 0;
}

// Rule 5 (DESIGN.md section 6): a bit that wasn't offered is never taken, but FEATURES_OK will tell the
// driver so.
void TransportCore::set_driver_feature(uint32_t bits) {
    if ((status_ & kFeaturesOk) != 0 || driver_feature_select >= 2) return;
    const unsigned shift = driver_feature_select * 32;
    accepted_ = (accepted_ & ~(uint64_t{0xffff'ffff} << shift)) | uint64_t{bits} << shift;
}

uint8_t TransportCore::status() const {
    return broken_.load(std::memory_order_relaxed) ? status_ | kNeedsReset : status_;
}

bool TransportCore::set_status(uint8_t status) {
    if (status == 0) {  // 2.1.2
        device_.reset();
        reset();
        return true;
    }
    return change(status);
}

// 2.1.1: a driver doesn't clear bits, so those that are set stay.
bool TransportCore::change(uint8_t status) {
    uint8_t fresh = status & kDriverBits & ~status_;
    if (!agreed()) fresh &= ~kFeaturesOk;
    status_ |= fresh;
    if ((fresh & kDriverOk) == 0) return false;
    if ((status_ & kFeaturesOk) == 0) {
        broken_ = true;
    } else {
        activate();
    }
    return true;
}

void TransportCore::activate() {
    if (device_.activate(Activation{accepted_, queues_}) != nullptr) {
        broken_ = true;
    } else {
        active_ = true;
    }
}

const QueueState* TransportCore::selected() const {
    return queue_select < queues_.size() ? &queues_[queue_select] : nullptr;
}

uint16_t TransportCore::largest_size() const {
    return queue_select < queues_.size() ? device_.queue_sizes()[queue_select] : uint16_t{0};
}

void TransportCore::set_size(uint16_t size) {
    if (selected() == nullptr || selected()->ready) return;
    if (size > largest_size() || !QueueState::valid_size(size, ring_features().packed)) return;
    queues_[queue_select].size = size;
}

void TransportCore::set_area(Gpa QueueState::*area, uint64_t value, uint64_t mask) {
    if (selected() == nullptr || selected()->ready) return;
    Gpa& gpa = queues_[queue_select].*area;
    gpa = Gpa{(raw(gpa) & ~mask) | (value & mask)};
}

// 4.1.4.3.2: only a reset disables it again. 2.6.1.2: of a device that works, only with RING_RESET.
void TransportCore::enable() {
    if (selected() == nullptr || selected()->ready) return;
    if (active_ && (accepted_ & kRingReset) == 0) return;
    QueueState& queue = queues_[queue_select];
    queue.ready = true;
    if (active_ && device_.enable_queue(queue_select, queue) != nullptr) broken_ = true;
}

bool TransportCore::stop_queue() {
    if (selected() == nullptr || !selected()->ready) return false;
    if (active_ && !device_.reset_queue(queue_select)) return false;
    queues_[queue_select].ready = false;
    return true;
}

bool TransportCore::reset_queue() {
    if ((accepted_ & kRingReset) == 0 || !stop_queue()) return false;
    queues_[queue_select] = QueueState{};
    queues_[queue_select].size = largest_size();
    return true;
}

void TransportCore::reset() {
    for (size_t i = 0; i < queues_.size(); ++i) {
        queues_[i] = QueueState{};
        queues_[i].size = device_.queue_sizes()[i];  // 4.1.4.3: on reset the largest that is supported
    }
    device_feature_select = driver_feature_select = 0;
    queue_select = 0;
    status_ = 0;
    accepted_ = 0;
    active_ = false;
    broken_ = false;
}

void TransportCore::save(ByteWriter& writer) const {
    writer.put(status());
    writer.put(accepted_);
    writer.put(device_feature_select);
    writer.put(driver_feature_select);
    writer.put(queue_select);
    writer.put(static_cast<uint8_t>(active_));
    const std::vector<QueueState> states = active_ ? device_.queue_states() : queues_;
    for (size_t i = 0; i < queues_.size(); ++i) (queues_[i].ready ? states[i] : queues_[i]).save(writer);
    device_.save(writer);
}

Result<void> TransportCore::restore(ByteReader& part) {
    const auto status = part.get<uint8_t>();
    status_ = status & ~kNeedsReset;
    broken_ = (status & kNeedsReset) != 0;
    accepted_ = part.get<uint64_t>();
    device_feature_select = part.get<uint32_t>();
    driver_feature_select = part.get<uint32_t>();
    queue_select = part.get<uint16_t>();
    const auto active = part.get<uint8_t>();
    if (!possible(active)) return damaged_state(device_.name());
    for (size_t i = 0; i < queues_.size(); ++i) {
        const auto state = QueueState::restore(part, ring_features(), device_.queue_sizes()[i]);
        if (!state) return damaged_state(device_.name());
        queues_[i] = *state;
    }
    TRY(device_.restore(part));
    if (!complete(part)) return damaged_state(device_.name());
    if (active != 0) activate();
    return {};
}

// Whether a driver can have brought the device into what was restored.
bool TransportCore::possible(uint8_t active) const {
    const bool running = (status_ & kDriverOk) != 0;
    const bool features = (status_ & kFeaturesOk) != 0;
    if ((status_ & ~kDriverBits) != 0 || active > 1 || (features && !agreed())) return false;
    // DRIVER_OK activates, or breaks.
    return active != 0 ? running && features : !running || broken_.load();
}

}  // namespace carrel::virtio
