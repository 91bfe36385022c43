#include "vmm/app/probe_kvm_speed.h"

#include <fmt/core.h>

#include <algorithm>

#include "vmm/app/tiny_guest_code_x86.h"
#include "vmm/observe/failure_report.h"

namespace carrel::app {
namespace {

constexpr uint64_t kFirstRounds = 16;                      // well under 1 ms where ring 0 is interpreted
constexpr Nanoseconds kMostOverhead = 100 * kMillisecond;  // a busy host
constexpr int kOnce = 16'384;                              // instructions; 72 KiB of them
constexpr Nanoseconds kInstructionPatience = 100 * kMillisecond;
constexpr double kEmulatedFirstTime = 100;  // ns; a cache miss for each instruction would be less
constexpr double kDearExit = 20'000;        // ns; silicon takes about 2,000, nested about 10,000

bool is_out(const kvm::Exit& exit) {
    const auto* const port = std::get_if<kvm::PortExit>(&exit);
    return port != nullptr && port->write && port->port == guest_code::kOkPort;
}

std::string first_line(const std::string& text) {
    return text.substr(0, text.find('\n'));
}

Error no_way_through(const kvm::Exit& exit, const kvm::Vcpu& vcpu, const GuestMemory& memory) {
    if (const auto* const failed = std::get_if<kvm::FailedExit>(&exit)) {
        return host_error(first_line(observe::failure_report(*failed, vcpu, memory)));
    }
    if (std::holds_alternative<kvm::ShutdownExit>(exit)) {
        return host_error(first_line(observe::triple_fault_report(vcpu, memory)));
    }
    if (const auto* const refused = std::get_if<kvm::RefusedExit>(&exit))
        return os_error(refused->error, "KVM_RUN failed");
    return host_error("the guest didn't reach its end in time");
}

// One measured run: until the guest's OUT.
Result<Nanoseconds> time_to_out(kvm::Vcpu& vcpu, const GuestMemory& memory) {
    const SystemClock clock;
    const Nanoseconds begin = clock.now();
    const kvm::Exit exit = vcpu.run();
    const Nanoseconds end = clock.now();
    if (!is_out(exit)) return no_way_through(exit, vcpu, memory);
    return std::max<Nanoseconds>(1, end - begin);
}

// INT3 runs through an IDT gate; XRSTOR and CMPXCHG16B are single instructions.
struct Candidate {
    const char* name;
    std::span<const std::byte> code;
    int feature;  // bit of CPUID leaf 1's ECX; -1: every x86-64 has it
};

Attempt attempt(TinyGuest& guest, const Candidate& candidate) {
    if (candidate.feature >= 0 && !guest.offers(static_cast<uint32_t>(candidate.feature)))
        return Attempt::kNotOffered;
    const auto vcpu = guest.start(candidate.code);
    if (!vcpu.ok()) return Attempt::kRefused;
    const auto dog = Watchdog::start(**vcpu, kInstructionPatience);
    if (!dog.ok()) return Attempt::kRefused;
    return is_out((*vcpu)->run()) ? Attempt::kRan : Attempt::kRefused;
}

std::string names(const std::vector<InstructionAttempt>& attempts, Attempt result) {
    std::string text;
    for (const InstructionAttempt& a : attempts) {
        if (a.result == result) text += (text.empty() ? "" : ", ") + a.name;
    }
    return text;
}

}  // namespace

Result<double> measure_ring0(TinyGuest& guest, Nanoseconds shortest) {
    uint64_t rounds = kFirstRounds;
    TRY_ASSIGN(const auto vcpu, guest.start(guest_code::mixture(), rounds));
    TRY_ASSIGN(const auto dog, Watchdog::start(*vcpu, 10 * shortest + kMostOverhead));
    TRY(time_to_out(*vcpu, guest.memory()));  // the first one is cold
    for (;;) {
        rounds *= guest_code::kGrowth;
        TRY_ASSIGN(const Nanoseconds took, time_to_out(*vcpu, guest.memory()));
        const double instructions = static_cast<double>(rounds) * guest_code::kInstructionsPerRound;
        if (took >= shortest) return instructions * 1e9 / static_cast<double>(took);
    }
}

Result<double> measure_first_time(TinyGuest& guest) {
    TRY_ASSIGN(const auto vcpu, guest.start(guest_code::once(kOnce)));
    TRY_ASSIGN(const auto dog, Watchdog::start(*vcpu, 10 * kMostOverhead));
    TRY(time_to_out(*vcpu, guest.memory()));  // the way out, so that only the rest is new
    TRY_ASSIGN(const Nanoseconds took, time_to_out(*vcpu, guest.memory()));
    return static_cast<double>(took) / kOnce;
}

Result<double> measure_exit(TinyGuest& guest, Nanoseconds patience) {
    TRY_ASSIGN(const auto vcpu, guest.start(guest_code::exits()));
    TRY_ASSIGN(const auto dog, Watchdog::start(*vcpu, 10 * patience + kMostOverhead));
    TRY(time_to_out(*vcpu, guest.memory()));  // the first one is cold
    Nanoseconds sum = 0;
    int exits = 0;
    while (sum < patience && exits < 10'000) {
        TRY_ASSIGN(const Nanoseconds took, time_to_out(*vcpu, guest.memory()));
        sum += took;
        ++exits;
    }
    return static_cast<double>(sum) / exits;
}

std::vector<InstructionAttempt> try_instructions(TinyGuest& guest) {
    const Candidate candidates[] = {
        {"INT3", guest_code::int3(), -1},
        {"XRSTOR", guest_code::xrstor(), 26},          // CPUID leaf 1, ECX: XSAVE
        {"CMPXCHG16B", guest_code::cmpxchg16b(), 13},  // CPUID leaf 1, ECX: CX16
    };
    std::vector<InstructionAttempt> attempts;
    for (const Candidate& candidate : candidates)
        attempts.push_back({candidate.name, attempt(guest, candidate)});
    return attempts;
}

Finding judge_ring0(double instructions_per_second, double first_time_ns) {
    Finding f{"ring0-speed",
              FindingState::kOk,
              fmt::format("guest ring 0 runs in 64-bit mode, at {} instructions a second",
                          rate_words(instructions_per_second)),
              {}};
    if (instructions_per_second < kLeastInstructionsPerSecond) {
        f.state = FindingState::kWarn;
        f.sentence += ": this KVM interprets it";
        f.advice.emplace_back("keep to small guests here, and boot Linux in tools/kvm-host");
    } else if (first_time_ns > kEmulatedFirstTime) {
        f.sentence += fmt::format(
            "; one that runs for the first time takes {:.1f} us: the processor itself is emulated",
            first_time_ns / 1000);
    }
    return f;
}

Finding judge_exit(double nanoseconds) {
    const bool dear = nanoseconds > kDearExit;
    return {"exit-cost",
            dear ? FindingState::kWarn : FindingState::kOk,
            fmt::format("a port exit to userspace and back costs {:.1f} us{}", nanoseconds / 1000,
                        dear ? ": guests that talk a lot (console, polled devices) will be slow" : ""),
            {}};
}

Finding judge_instructions(const std::vector<InstructionAttempt>& attempts) {
    const std::string refused = names(attempts, Attempt::kRefused);
    const std::string absent = names(attempts, Attempt::kNotOffered);
    Finding f{"ring0-instructions", FindingState::kOk, "", {}};
    if (!refused.empty()) {
        f.state = FindingState::kWarn;
        f.sentence = fmt::format(
            "this KVM gives a guest up at these instructions in ring 0: {}; Linux uses them", refused);
        f.advice.emplace_back("boot Linux in tools/kvm-host");
    } else {
        f.sentence =
            "instructions that software KVMs refuse in ring 0 run: " + names(attempts, Attempt::kRan);
    }
    if (!absent.empty()) f.sentence += "; CPUID doesn't offer " + absent;
    return f;
}

}  // namespace carrel::app
