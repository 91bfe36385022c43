// The verdict: a pure function of what was measured.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace carrel::app {

// What decides whether a stock Linux boots here.
struct HostFacts {
    bool kvm_usable = false;                        // a VM could be made and run
    std::string obstacle;                           // why not: a piece of a sentence
    std::optional<double> instructions_per_second;  // of guest ring 0, as measured
    std::optional<double> first_time_ns;            // an instruction that runs for the first time
    std::optional<double> exit_ns;                  // one port exit to userspace and back
    std::vector<std::string> refused_instructions;  // that Linux uses and this KVM can't run in ring 0
    std::vector<std::string> missing_capabilities;  // that no guest of ours can do without
};

enum class Ability {
    kLinux,        // exit status 0 of `carrel doctor`
    kSmallGuests,  // 1
    kNone,         // 37, as in `carrel run`
};

struct Verdict {
    Ability ability = Ability::kNone;
    std::optional<double> boot_seconds;  // kLinux only
    std::string sentence;
};

Verdict decide(const HostFacts& facts);
int exit_status(Ability ability);

// How long a Debian cloud kernel takes from exec to userspace, roughly; see verdict.cpp for where the numbers
// are from.
double boot_seconds(double instructions_per_second, double first_time_ns, double exit_ns);
// Below it a boot takes minutes and the kernel's own watchdogs and time-outs strike: no use to anybody.
inline constexpr double kLeastInstructionsPerSecond = 20e6;

// "3.1 million", "1.4 thousand million".
std::string rate_words(double per_second);

}  // namespace carrel::app
