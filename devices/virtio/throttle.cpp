#include "devices/virtio/throttle.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace carrel::virtio {

Result<std::unique_ptr<Throttle>> Throttle::create(EventLoop& loop, const RateConfig& config) {
    auto throttle = std::make_unique<Throttle>(loop, config);
    TRY_ASSIGN(throttle->wait_, LoopSignal::create(loop, [t = throttle.get()] { t->set_timer(); }));
    return throttle;
}

Throttle::Throttle(EventLoop& loop, const RateConfig& config)
    : loop_(loop), limited_(config.limits()), limit_(config) {}

Throttle::~Throttle() {
    if (timer_) loop_.cancel(*timer_);
}

bool Throttle::look() {
    MutexLock lock(mutex_);
    if (waiting_) return false;
    if (limit_.opens_at() <= loop_.clock().now()) return true;
    waiting_ = true;
    wait_->raise();
    return false;
}

void Throttle::take(uint64_t bytes) {
    constexpr uint64_t kMost = std::numeric_limits<uint32_t>::max();
    MutexLock lock(mutex_);
    limit_.take(static_cast<uint32_t>(std::min(bytes, kMost)), loop_.clock().now());
}

void Throttle::change(const RateConfig& config) {
    MutexLock lock(mutex_);
    limit_.change(config, loop_.clock().now());
    limited_.store(config.limits(), std::memory_order_relaxed);
    if (waiting_) wait_->raise();
}

void Throttle::set_timer() {
    if (timer_) loop_.cancel(*std::exchange(timer_, std::nullopt));
    MutexLock lock(mutex_);
    if (waiting_) timer_ = loop_.at(limit_.opens_at(), [this] { end_wait(); });
}

void Throttle::end_wait() {
    timer_.reset();
    {
        MutexLock lock(mutex_);
        waiting_ = false;
    }
    if (listener_ != nullptr) listener_->go_on();
}

}  // namespace carrel::virtio
