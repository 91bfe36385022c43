#include "devices/virtio/queued_device.h"

#include <utility>

#include "vmm/base/check.h"

namespace carrel::virtio {
namespace {
// A reset waits for what is in flight, a dead file server included, but not for ever (issue 4, section 3).
constexpr Nanoseconds kResetLimit = 5 * kSecond;
constexpr const char* kUnderWay = "requests of its last driver are still under way";
}  // namespace

void QueuedDevice::connect(GuestMemory& memory, DeviceEvents& events) {
    memory_ = &memory;
    events_ = &events;
}

VirtQueue::Opened QueuedDevice::open(const QueueState& state) const {
    const QueueFeatures features{(features_ & kRingPacked) != 0, (features_ & kEventIdx) != 0,
                                 (features_ & kIndirectDesc) != 0, writes()};
    return VirtQueue::open(*memory_, state, features);
}

const char* QueuedDevice::activate(const Activation& activation) {
    MutexLock lock(mutex_);
    if (broken_ != nullptr) return broken_;
    features_ = activation.features;
    for (const QueueState& state : activation.queues) {
        queues_.emplace_back();
        busy_.push_back(false);
        if (!state.ready) continue;
        auto opened = open(state);
        if (const auto* error = std::get_if<QueueError>(&opened)) {
            close();
            return error->reason;
        }
        queues_.back() = std::move(std::get<std::unique_ptr<VirtQueue>>(opened));
    }
    active_ = true;
    // A driver may have filled its queues before it said DRIVER_OK (3.1.1), and needn't have rung then.
    for (uint16_t i = 0; i < queues_.size(); ++i)
        if (queues_[i]) events_->again(i);
    started();
    return nullptr;
}

// 2.6.1.1.1: everything of the queue is forgotten, and its chains aren't touched any more.
bool QueuedDevice::reset_queue(uint16_t queue) {
    MutexLock lock(mutex_);
    if (!active_ || queue >= queues_.size() || !queues_[queue]) return true;
    // A wait lets the mutex go: nothing new meanwhile. again() makes up for it.
    const bool quiet = std::exchange(quiet_, true);
    const bool drained = drain_queue(queue, kResetLimit);
    quiet_ = quiet;
    if (!drained) {
        fail("requests of a queue that is to be reset are still under way");
        return false;
    }
    queues_[queue].reset();
    busy_[queue] = false;
    for (uint16_t i = 0; i < queues_.size(); ++i)
        if (queues_[i]) events_->again(i);
    return true;
}

// 2.6.1.2
const char* QueuedDevice::enable_queue(uint16_t queue, const QueueState& state) {
    MutexLock lock(mutex_);
    if (!active_ || broken_ != nullptr || queue >= queues_.size() || queues_[queue]) return broken_;
    auto opened = open(state);
    if (const auto* error = std::get_if<QueueError>(&opened)) {
        fail(error->reason);
        return error->reason;
    }
    queues_[queue] = std::move(std::get<std::unique_ptr<VirtQueue>>(opened));
    events_->again(queue);
    return nullptr;
}

void QueuedDevice::notify(uint16_t queue) {
    MutexLock lock(mutex_);
    if (!serving() || queue >= queues_.size() || !queues_[queue]) return;
    const bool more = turn(queue);
    if (broken_ != nullptr) return;
    show(queue);
    if (more) events_->again(queue);
}

bool QueuedDevice::turn(uint16_t queue) {
    unsigned left = kMostChains;
    while (left != 0 && wants(queue)) {
        auto chain = take(queue);
        if (!chain) break;
        serve(queue, std::move(*chain));
        --left;
    }
    end_turn(queue);
    return left == 0;
}

std::optional<DescriptorChain> QueuedDevice::take(uint16_t queue) {
    if (queue >= queues_.size() || !queues_[queue] || broken_ != nullptr) return std::nullopt;
    VirtQueue& ring = *queues_[queue];
    busy_[queue] = false;
    // Bounded: a driver could take a chain back and offer it again for ever, or offer none but malformed
    // ones.
    for (unsigned left = kMostChains; left != 0; --left) {
        auto next = ring.pop();
        if (auto* chain = std::get_if<DescriptorChain>(&next)) {
            ring.disable_notifications();
            return std::move(*chain);
        } else if (std::holds_alternative<Empty>(next)) {
            if (!ring.enable_notifications()) return std::nullopt;
        } else if (std::holds_alternative<Malformed>(next)) {
            malformed_.fetch_add(1, std::memory_order_relaxed);
        } else if (const auto* error = std::get_if<QueueError>(&next)) {
            fail(error->reason);
            return std::nullopt;
        } else if (std::holds_alternative<NoMemory>(next)) {
            starved_ = true;
            return std::nullopt;
        } else {  // Busy: publish() goes on when a chain has ended
            busy_[queue] = true;
            return std::nullopt;
        }
    }
    events_->again(queue);
    return std::nullopt;
}

void QueuedDevice::show(uint16_t queue) {
    VirtQueue& ring = *queues_[queue];
    ring.publish();
    if (ring.should_interrupt()) events_->used(queue);
}

void QueuedDevice::publish(uint16_t queue) {
    if (queue >= queues_.size() || !queues_[queue]) return;  // a driver needn't enable any
    show(queue);
    if (busy_[queue] && !quiet_) events_->again(queue);
}

void QueuedDevice::fail(const char* reason) {
    broken_ = reason;
    events_->needs_reset();
}

void QueuedDevice::close() {
    queues_.clear();
    busy_.clear();
    active_ = starved_ = false;
    features_ = 0;
}

void QueuedDevice::reset() {
    MutexLock lock(mutex_);
    // What is still under way after that would write into memory that its guest uses for something else: its
    // queues stay for the chains under way, which are abandoned when they end.
    active_ = false;
    const bool waited = broken_ == kUnderWay;  // a disk that is dead isn't waited for again
    if (drain(true, waited ? 0 : kResetLimit)) {
        close();
        power_on();
        broken_ = nullptr;
    } else {
        broken_ = kUnderWay;
    }
    quiet_ = false;
}

bool QueuedDevice::quiesce(Nanoseconds limit) {
    MutexLock lock(mutex_);
    quiet_ = true;
    return drain(false, limit);
}

void QueuedDevice::resume() {
    MutexLock lock(mutex_);
    quiet_ = false;
    for (uint16_t i = 0; i < queues_.size(); ++i)
        if (queues_[i]) events_->again(i);
}

bool QueuedDevice::abandon(Nanoseconds limit) {
    MutexLock lock(mutex_);
    active_ = false;
    const bool ended = drain(true, limit);
    broken_ = ended ? nullptr : kUnderWay;
    return ended;
}

void QueuedDevice::memory_came() {
    MutexLock lock(mutex_);
    if (!std::exchange(starved_, false) || !serving()) return;
    for (uint16_t i = 0; i < queues_.size(); ++i)
        if (queues_[i]) events_->again(i);
}

std::vector<QueueState> QueuedDevice::queue_states() const {
    MutexLock lock(mutex_);
    std::vector<QueueState> states;
    for (const auto& queue : queues_) states.push_back(queue ? queue->state() : QueueState{});
    return states;
}

}  // namespace carrel::virtio
