#include "vmm/app/probe_capabilities.h"

#include <fmt/core.h>
#include <linux/kvm.h>

#include <algorithm>

namespace carrel::app {
namespace {

constexpr uint32_t kKvmFeatures = 0x4000'0001;         // KVM_CPUID_FEATURES
constexpr uint32_t kClocksource2 = 3, kStealTime = 5;  // bits of its EAX

const char* cost_words(Need need) {
    switch (need) {
        case Need::kRequired: return "no guest runs without it";
        case Need::kSpeed: return "guests run, but slower";
        case Need::kFeature: return "that feature is missing";
    }
    return "";
}

Finding missing(const Capability& c) {
    return {std::string("capability-") + c.name,
            c.need == Need::kRequired ? FindingState::kFail : FindingState::kWarn,
            fmt::format("KVM_CAP_{} is missing (used for {}): {}", c.name, c.used_for, cost_words(c.need)),
            {"a newer Linux on the host has it"}};
}

}  // namespace

const std::vector<Capability>& capabilities() {
    static const std::vector<Capability> kTable = {
        {KVM_CAP_USER_MEMORY, "USER_MEMORY", Need::kRequired, "guest memory"},
        {KVM_CAP_IRQCHIP, "IRQCHIP", Need::kRequired, "interrupt controllers in the kernel"},
        {KVM_CAP_PIT2, "PIT2", Need::kRequired, "the PIT in the kernel"},
        {KVM_CAP_IMMEDIATE_EXIT, "IMMEDIATE_EXIT", Need::kRequired,
         "stopping a vCPU without losing a signal"},
        {KVM_CAP_EXT_CPUID, "EXT_CPUID", Need::kRequired, "telling the guest its processor"},
        {KVM_CAP_MP_STATE, "MP_STATE", Need::kRequired, "starting and saving further vCPUs"},
        {KVM_CAP_MAX_VCPUS, "MAX_VCPUS", Need::kFeature, "knowing how many vCPUs a guest may have"},
        {KVM_CAP_TSC_DEADLINE_TIMER, "TSC_DEADLINE_TIMER", Need::kSpeed,
         "the guest's timer without calibration (0.1 s a boot)"},
        {KVM_CAP_COALESCED_PIO, "COALESCED_PIO", Need::kSpeed, "console output with fewer exits"},
        {KVM_CAP_IOEVENTFD, "IOEVENTFD", Need::kSpeed,
         "virtio queue notifications without an exit to userspace"},
        {KVM_CAP_IRQFD, "IRQFD", Need::kSpeed, "device interrupts without an ioctl"},
        {KVM_CAP_SIGNAL_MSI, "SIGNAL_MSI", Need::kFeature, "message-signalled interrupts of PCI devices"},
        {KVM_CAP_HALT_POLL, "HALT_POLL", Need::kFeature,
         "exact CPU accounting (polling of halted vCPUs off)"},
        {KVM_CAP_SYNC_REGS, "SYNC_REGS", Need::kSpeed, "reading registers without an ioctl in exit traces"},
        {KVM_CAP_BINARY_STATS_FD, "BINARY_STATS_FD", Need::kFeature, "halt and exit statistics of each vCPU"},
        {KVM_CAP_SET_GUEST_DEBUG, "SET_GUEST_DEBUG", Need::kFeature, "breakpoints and single-step"},
        {KVM_CAP_KVMCLOCK_CTRL, "KVMCLOCK_CTRL", Need::kFeature,
         "pauses without lock-up warnings in the guest"},
        {KVM_CAP_GET_TSC_KHZ, "GET_TSC_KHZ", Need::kFeature, "a TSC frequency that is saved with the guest"},
        {KVM_CAP_VCPU_EVENTS, "VCPU_EVENTS", Need::kFeature,
         "saving a vCPU: pending exceptions and interrupts"},
        {KVM_CAP_DEBUGREGS, "DEBUGREGS", Need::kFeature, "saving a vCPU: debug registers"},
        {KVM_CAP_XSAVE, "XSAVE", Need::kFeature, "saving a vCPU: floating point and vectors"},
        {KVM_CAP_XCRS, "XCRS", Need::kFeature, "saving a vCPU: which vectors are on"},
        {KVM_CAP_XSAVE2, "XSAVE2", Need::kFeature, "saving a vCPU with more than 4 KiB of it (AMX)"},
        {KVM_CAP_ADJUST_CLOCK, "ADJUST_CLOCK", Need::kFeature, "saving kvm-clock"},
    };
    return kTable;
}

std::vector<Finding> judge_capabilities(const std::function<int(long)>& check) {
    std::vector<Finding> missing_ones;
    for (const Capability& c : capabilities()) {
        if (check(c.number) <= 0) missing_ones.push_back(missing(c));
    }
    const size_t all = capabilities().size();
    const int vcpus = std::max(check(KVM_CAP_MAX_VCPUS), check(KVM_CAP_NR_VCPUS));
    std::vector<Finding> findings = {
        {"capabilities",
         missing_ones.empty() ? FindingState::kOk : FindingState::kInfo,
         fmt::format("{} of the {} capabilities that carrel uses; at most {} vCPUs a guest",
                     all - missing_ones.size(), all, vcpus),
         {}}};
    findings.insert(findings.end(), missing_ones.begin(), missing_ones.end());
    return findings;
}

std::vector<std::string> missing_required(const std::function<int(long)>& check) {
    std::vector<std::string> names;
    for (const Capability& c : capabilities()) {
        if (c.need == Need::kRequired && check(c.number) <= 0)
            names.push_back(std::string("KVM_CAP_") + c.name);
    }
    return names;
}

std::vector<CapabilityValue> capability_values(const std::function<int(long)>& check) {
    std::vector<CapabilityValue> values;
    for (const Capability& c : capabilities()) values.push_back({c.name, check(c.number)});
    return values;
}

Finding judge_paravirtual(const CpuidTable& supported) {
    const auto leaf = std::find_if(supported.begin(), supported.end(),
                                   [](const CpuidLeaf& l) { return l.function == kKvmFeatures; });
    const uint32_t bits = leaf != supported.end() ? leaf->eax : 0;
    const bool clock = (bits >> kClocksource2 & 1) != 0, steal = (bits >> kStealTime & 1) != 0;
    if (clock && steal) return {"paravirtual", FindingState::kOk, "guests get kvm-clock and steal time", {}};
    return {"paravirtual",
            FindingState::kWarn,
            fmt::format("guests don't get {}",
                        clock ? "steal time, so their own `top` can't show waiting"
                              : "kvm-clock, so they measure their clock at each boot (about 1 s)"),
            {}};
}

}  // namespace carrel::app
