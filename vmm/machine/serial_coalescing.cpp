#include "vmm/machine/serial_coalescing.h"

#include <array>

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
    io_.post([this] { arm(); });
}

// Registers again after a quiet time.
void SerialCoalescing::note_transmit_exit() {
    {
        MutexLock lock(state_mutex_);
        if (!safe_ || registered_ || stopped_ || ++burst_ < kBurst) return;
        set_registered(true);
        if (!registered_) return;
    }
    io_.post([this] { arm(); });
}

void SerialCoalescing::set_registered(bool on) {
    burst_ = 0;
    if (registered_ == on) return;
    const bool done = vm_.coalesce_port(port_, on);
    registered_ = on && done;
}

void SerialCoalescing::arm() {
    {
        MutexLock lock(state_mutex_);
        if (stopped_) return;
    }
    if (timer_ != 0) return;
    timer_ = io_.at(SystemClock().now() + kTick, [this] { tick(); });
}

void SerialCoalescing::tick() {
    timer_ = 0;
    const uint64_t before = drained();
    drain();
    const uint64_t after = drained();
    quiet_ticks_ = before == after ? quiet_ticks_ + 1 : 0;
    if (still_registered()) return arm();
    drain();  // what came in before the zone was gone
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
    drain();
}

uint64_t SerialCoalescing::drained() {
    MutexLock lock(drain_mutex_);
    return drained_;
}

// Entries are taken off the ring only when they have been delivered: whoever finds it empty may rely on it.
void SerialCoalescing::drain() {
    kvm::CoalescedRing* const ring = vm_.coalesced();
    if (ring == nullptr || ring->empty()) return;
    MutexLock lock(drain_mutex_);
    std::array<std::byte, 256> batch;
    while (!ring->empty()) {
        uint32_t seen = 0;
        size_t used = 0;
        kvm::CoalescedRing::Write write{};
        for (; used < batch.size() && ring->peek(seen, write); ++seen) {
            if (write.port && write.address == port_)
                batch[used++] = write.data[0];  // only our zone is registered
        }
        serial_->transmit(std::span(batch).first(used));
        ring->pop(seen);
        drained_ += used;
    }
}

}  // namespace carrel
