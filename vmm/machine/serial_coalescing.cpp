#include "vmm/machine/serial_coalescing.h"

namespace carrel {
namespace {

constexpr uint32_t kBurst = 64;                   // bytes before it's worth registering
constexpr Nanoseconds kTick = 10 * kMillisecond;  // the longest that a byte waits
constexpr uint32_t kQuietTicks = 100;             // then unregister

}  // namespace

// The UART asks for it only once the guest has sent a burst, so that probing and short lines cost nothing.
void SerialCoalescing::enable(bool safe) {
    {
        MutexLock lock(state_mutex_);
        safe_ = safe;
        set_registered(safe && !stopped_);
        if (!registered_) return;
    }
    arm_soon();
}

// Registers again after a quiet time.
void SerialCoalescing::note_exit() {
    {
        MutexLock lock(state_mutex_);
        if (!safe_ || registered_ || stopped_ || ++burst_ < kBurst) return;
        set_registered(true);
        if (!registered_) return;
    }
    arm_soon();
}

void SerialCoalescing::set_registered(bool on) {
    burst_ = 0;
    if (registered_ == on) return;
    const bool done = vm_.coalesce(zone_, on);
    registered_ = on && done;
}

void SerialCoalescing::arm_soon() {
    io_.post([this, alive = std::weak_ptr(alive_)] {
        if (!alive.expired()) arm();
    });
}

void SerialCoalescing::arm() {
    {
        MutexLock lock(state_mutex_);
        if (stopped_) return;
    }
    if (timer_ != 0) return;
    timer_ = io_.after(kTick, [this] { tick(); });
}

void SerialCoalescing::tick() {
    timer_ = 0;
    const uint64_t before = writes_.delivered();
    writes_.drain();
    quiet_ticks_ = before == writes_.delivered() ? quiet_ticks_ + 1 : 0;
    if (still_registered()) return arm();
    writes_.drain();  // what came in before the zone was gone
}

bool SerialCoalescing::still_registered() {
    MutexLock lock(state_mutex_);
    if (quiet_ticks_ >= kQuietTicks) set_registered(false);
    return registered_;
}

void SerialCoalescing::stop() {
    if (timer_ != 0) io_.cancel(timer_);
    timer_ = 0;
    {
        MutexLock lock(state_mutex_);
        stopped_ = true;
        set_registered(false);
    }
    writes_.drain();
}

}  // namespace carrel
