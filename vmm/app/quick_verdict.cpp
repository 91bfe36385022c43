#include "vmm/app/quick_verdict.h"

#include <fmt/core.h>

#include "vmm/app/probe_kvm_kind.h"
#include "vmm/app/probe_kvm_speed.h"

namespace carrel::app {
namespace {

constexpr Nanoseconds kShortest = kMillisecond;

}  // namespace

std::optional<std::string> quick_verdict(Opener& opener, const std::string& kvm_path) {
    if (look_at_kind(opener).hardware()) return std::nullopt;
    const auto kvm = kvm::Kvm::open(opener, kvm_path);
    if (!kvm.ok()) return std::nullopt;  // whoever opens it next says why
    const auto guest = TinyGuest::create(*kvm);
    if (!guest.ok()) return std::nullopt;
    const auto speed = measure_ring0(**guest, kShortest);
    if (!speed.ok() || *speed >= kLeastInstructionsPerSecond) return std::nullopt;
    return fmt::format(
        "a stock Linux won't boot here: this KVM interprets the guest's kernel, at {} instructions a second; "
        "use "
        "tools/kvm-host (`carrel doctor` tells more)",
        rate_words(*speed));
}

}  // namespace carrel::app
