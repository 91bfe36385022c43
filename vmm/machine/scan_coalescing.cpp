#include "vmm/machine/scan_coalescing.h"

#include "vmm/model/address_map_x86.h"

namespace carrel {
namespace {

constexpr Nanoseconds kTick = 100 * kMillisecond;  // the longest that a reset at 0xcf9 waits
constexpr uint32_t kTicks = 30;
constexpr uint32_t kPorts = 8;  // address and data

}  // namespace

ScanCoalescing::ScanCoalescing(kvm::Vm& vm, EventLoop& io, CoalescedWrites& writes)
    : vm_(vm), io_(io), writes_(writes), ticks_left_(kTicks) {
    set_registered(true);
    if (registered_) timer_ = io_.after(kTick, [this] { tick(); });
}

ScanCoalescing::~ScanCoalescing() {
    if (timer_ != 0) io_.cancel(timer_);
}

void ScanCoalescing::tick() {
    timer_ = 0;
    if (--ticks_left_ == 0) set_registered(false);
    writes_.drain();
    if (registered_) timer_ = io_.after(kTick, [this] { tick(); });
}

void ScanCoalescing::set_registered(bool on) {
    const bool done = vm_.coalesce({true, address_map::kPciConfigAddress, kPorts}, on);
    registered_ = on && done;
}

}  // namespace carrel
