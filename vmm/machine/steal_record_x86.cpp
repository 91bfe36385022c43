#include "vmm/machine/steal_record_x86.h"

#include <atomic>

namespace carrel {
namespace {

constexpr uint32_t kMsrStealTime = 0x4b564d03;
constexpr uint64_t kEnabled = 1;
constexpr uint64_t kAddress = ~uint64_t{0x3f};  // 64-byte aligned
constexpr uint64_t kVersion = 8;
constexpr uint64_t kPreempted = 16;

}  // namespace

std::optional<Gpa> StealRecord::find() const {
    const auto msr = vcpu_.msr(kMsrStealTime);
    if (!msr.ok() || (*msr & kEnabled) == 0) return std::nullopt;
    return Gpa{*msr & kAddress};
}

void StealRecord::begin_hold() {
    place_ = find();
    if (place_) (void)memory_.write(*place_ + kPreempted, uint8_t{1});  // KVM clears it as it runs
}

// A guest that reads meanwhile sees an odd version and reads again.
void StealRecord::end_hold(Nanoseconds time) {
    if (!place_) return;
    untold_ += time;
    const auto version = memory_.read<uint32_t>(*place_ + kVersion);
    const auto steal = memory_.read<uint64_t>(*place_);
    if (!version || !steal || !memory_.write(*place_ + kVersion, *version | 1)) return;
    std::atomic_thread_fence(std::memory_order_release);
    if (memory_.write(*place_, *steal + static_cast<uint64_t>(untold_))) untold_ = 0;
    std::atomic_thread_fence(std::memory_order_release);
    (void)memory_.write(*place_ + kVersion, (*version | 1) + 1);
}

}  // namespace carrel
