#include "vmm/app/verdict.h"

#include <fmt/core.h>

#include <algorithm>

namespace carrel::app {
namespace {

// Debian 6.1's cloud kernel, counted where one instruction is one virtual nanosecond (tools/kvm-host
// --icount, KVM-FACTS.md): 0.55 s from its entry to the first line of userspace, and 0.88 s of crypto
// self-tests.
constexpr double kGuestInstructions = 0.55e9 + 0.88e9;
// How many of them run for the first time. Not counted: fitted to boots on an emulated processor.
constexpr double kDistinctInstructions = 2e6;
// The same source: exits of a boot, 2,188 with `quiet` and some hundreds of them to userspace. Each is
// counted as dear as one to userspace.
constexpr double kExits = 2'200;
// Loading the kernel and the process's own start and end: 0.17 + 0.04 s there.
constexpr double kHostSeconds = 0.2;

std::string joined(const std::vector<std::string>& parts) {
    std::string text;
    for (size_t i = 0; i < parts.size(); ++i) {
        if (i > 0) text += i + 1 == parts.size() ? " and " : ", ";
        text += parts[i];
    }
    return text;
}

bool too_slow(const HostFacts& facts) {
    return facts.instructions_per_second && *facts.instructions_per_second < kLeastInstructionsPerSecond;
}

std::string why_not(const HostFacts& facts) {
    std::vector<std::string> reasons;
    if (too_slow(facts)) {
        const double rate = *facts.instructions_per_second;
        reasons.push_back(fmt::format(
            "guest ring 0 runs at {} instructions a second (a boot would take about {:.0f} minutes)",
            rate_words(rate), std::max(1.0, boot_seconds(rate, 0, 0) / 60)));
    }
    if (!facts.refused_instructions.empty()) {
        reasons.push_back(
            fmt::format("this KVM can't run {}, which Linux uses", joined(facts.refused_instructions)));
    }
    return joined(reasons);
}

Verdict none(const std::string& why) {
    return {Ability::kNone, std::nullopt,
            fmt::format("no guest will run here, because {}; use tools/kvm-host", why)};
}

}  // namespace

double boot_seconds(double instructions_per_second, double first_time_ns, double exit_ns) {
    return kGuestInstructions / instructions_per_second + kDistinctInstructions * first_time_ns * 1e-9 +
           kExits * exit_ns * 1e-9 + kHostSeconds;
}

std::string rate_words(double per_second) {
    if (per_second >= 1e9) return fmt::format("{:.1f} thousand million", per_second / 1e9);
    return per_second < 10e6 ? fmt::format("{:.1f} million", per_second / 1e6)
                             : fmt::format("{:.0f} million", per_second / 1e6);
}

Verdict decide(const HostFacts& facts) {
    if (!facts.kvm_usable) return none(facts.obstacle);
    if (!facts.missing_capabilities.empty())
        return none("this KVM lacks " + joined(facts.missing_capabilities));
    if (const std::string why = why_not(facts); !why.empty()) {
        return {
            Ability::kSmallGuests, std::nullopt,
            fmt::format(
                "stock Linux won't boot here, because {}; small guests run (try `carrel run`); for Linux use "
                "tools/kvm-host",
                why)};
    }
    const double seconds = boot_seconds(facts.instructions_per_second.value_or(1e9),
                                        facts.first_time_ns.value_or(0), facts.exit_ns.value_or(0));
    return {Ability::kLinux, seconds,
            seconds < 10 ? fmt::format("stock Linux will boot in about {:.1f} s", seconds)
                         : fmt::format("stock Linux will boot in about {:.0f} s", seconds)};
}

int exit_status(Ability ability) {
    switch (ability) {
        case Ability::kLinux: return 0;
        case Ability::kSmallGuests: return 1;
        case Ability::kNone: return 37;
    }
    return 37;
}

}  // namespace carrel::app
