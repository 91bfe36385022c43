#include "vmm/kvm/guest_time_x86.h"

#include <cstring>

#include "vmm/kvm/ioctl.h"

namespace carrel::kvm {
namespace {

constexpr uint32_t kMsrTsc = 0x10;           // SDM volume 4, IA32_TIME_STAMP_COUNTER
constexpr uint32_t kMsrTscDeadline = 0x6e0;  // IA32_TSC_DEADLINE
// Registers of the local APIC (SDM volume 3, 10.5.1 and 10.5.4).
constexpr size_t kLvtTimer = 0x320;
constexpr size_t kInitialCount = 0x380;
constexpr uint32_t kTimerMode = 3u << 17;
constexpr uint32_t kDeadlineMode = 2u << 17;

uint32_t lapic_register(const kvm_lapic_state& lapic, size_t offset) {
    uint32_t value = 0;
    std::memcpy(&value, lapic.regs + offset, sizeof value);
    return value;
}

bool counts(const kvm_lapic_state& lapic) {
    return (lapic_register(lapic, kLvtTimer) & kTimerMode) != kDeadlineMode &&
           lapic_register(lapic, kInitialCount) != 0;
}

kvm_device_attr offset_attribute(uint64_t& offset) {
    return {0, KVM_VCPU_TSC_CTRL, KVM_VCPU_TSC_OFFSET, reinterpret_cast<uint64_t>(&offset)};
}

}  // namespace

Result<GuestTime> GuestTime::stop(const Vm& vm, std::span<const std::unique_ptr<Vcpu>> vcpus) {
    GuestTime time;
    kvm_clock_data clock{};
    TRY(checked_ioctl("read the clock", vm.fd(), KVM_GET_CLOCK, &clock));
    time.clock_ = clock.clock;
    for (const auto& vcpu : vcpus) {
        TRY_ASSIGN(const OfVcpu one, stop(*vcpu));
        time.vcpus_.push_back(one);
    }
    return time;
}

Result<GuestTime::OfVcpu> GuestTime::stop(Vcpu& vcpu) {
    OfVcpu one;
    TRY_ASSIGN(one.tsc, vcpu.msr(kMsrTsc));
    kvm_lapic_state lapic{};
    TRY(checked_ioctl("read the local APIC", vcpu.fd(), KVM_GET_LAPIC, &lapic));
    if (counts(lapic)) one.counting = lapic;
    // One that has no such MSR has nothing to stop.
    if (const auto deadline = vcpu.msr(kMsrTscDeadline); deadline.ok() && *deadline != 0) {
        one.deadline = *deadline;
        TRY(vcpu.set_msr(kMsrTscDeadline, 0));
    }
    return one;
}

Result<void> GuestTime::go_on(const Vm& vm, std::span<const std::unique_ptr<Vcpu>> vcpus) const {
    TRY_ASSIGN(const uint64_t now, vcpus.front()->msr(kMsrTsc));
    const uint64_t passed = now - vcpus_.front().tsc;
    for (size_t i = 0; i < vcpus.size(); ++i) TRY(set_back(*vcpus[i], passed, vcpus_[i].tsc));
    kvm_clock_data clock{};
    clock.clock = clock_;  // no flags: from where it was, not from the wall
    TRY(checked_ioctl("set the clock back", vm.fd(), KVM_SET_CLOCK, &clock));
    for (size_t i = 0; i < vcpus.size(); ++i) {
        if (!vcpus_[i].counting) continue;
        kvm_lapic_state lapic = *vcpus_[i].counting;  // KVM counts on from the current count
        TRY(checked_ioctl("set the local APIC's timer back", vcpus[i]->fd(), KVM_SET_LAPIC, &lapic));
    }
    return keep_running(vcpus);
}

Result<void> GuestTime::keep_running(std::span<const std::unique_ptr<Vcpu>> vcpus) const {
    for (size_t i = 0; i < vcpus.size(); ++i)
        if (vcpus_[i].deadline != 0) TRY(vcpus[i]->set_msr(kMsrTscDeadline, vcpus_[i].deadline));
    return {};
}

// By its offset (Documentation/virt/kvm/devices/vcpu.rst, KVM_VCPU_TSC_OFFSET; Linux 5.16). Before, by its
// value, which KVM takes for an attempt to synchronize, and ignores, where it is within a second of what the
// TSC is.
Result<void> GuestTime::set_back(Vcpu& vcpu, uint64_t passed, uint64_t stopped_at) {
    uint64_t offset = 0;
    kvm_device_attr attribute = offset_attribute(offset);
    if (retry_ioctl(vcpu.fd(), KVM_GET_DEVICE_ATTR, &attribute) != 0)
        return vcpu.set_msr(kMsrTsc, stopped_at);
    offset -= passed;
    TRY(checked_ioctl("set a TSC back", vcpu.fd(), KVM_SET_DEVICE_ATTR, &attribute));
    return {};
}

}  // namespace carrel::kvm
