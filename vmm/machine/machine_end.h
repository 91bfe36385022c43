// MachineEnd: how a machine's run ended, and what to tell a person about it.
#pragma once

#include <string>

namespace carrel {

enum class EndReason {
    kPowerOff,  // ACPI S5
    kReset,     // the guest asked for a reset
    kTripleFault,
    kPanic,  // its kernel said so
    kTimeout,
    kMemoryLimit,  // its memory quota is used up, and its configuration says that it dies of that
    kHostFailure,  // KVM or the host couldn't go on
    kUser,         // Ctrl-A x or a signal
};

struct MachineEnd {
    EndReason reason = EndReason::kPowerOff;
    std::string detail;  // a sentence or a report; may be empty
};

// What happened, for a person; `detail` may follow.
constexpr const char* end_words(EndReason reason) {
    switch (reason) {
        case EndReason::kPowerOff: return "the guest powered off";
        case EndReason::kReset: return "the guest asked for a reset";
        case EndReason::kTripleFault: return "the guest took a triple fault";
        case EndReason::kPanic: return "the guest's kernel panicked";
        case EndReason::kTimeout: return "the guest timed out";
        case EndReason::kMemoryLimit: return "the guest used up its memory quota";
        case EndReason::kHostFailure: return "the guest can't go on";
        case EndReason::kUser: return "the guest was ended";
    }
    return "the guest ended";
}

// The same for a program.
constexpr const char* end_name(EndReason reason) {
    switch (reason) {
        case EndReason::kPowerOff: return "power-off";
        case EndReason::kReset: return "reset";
        case EndReason::kTripleFault: return "triple-fault";
        case EndReason::kPanic: return "panic";
        case EndReason::kTimeout: return "timeout";
        case EndReason::kMemoryLimit: return "memory-limit";
        case EndReason::kHostFailure: return "host-failure";
        case EndReason::kUser: return "user";
    }
    return "unknown";
}

// Nobody wished for it.
constexpr bool is_failure(EndReason reason) {
    return reason == EndReason::kTripleFault || reason == EndReason::kPanic ||
           reason == EndReason::kTimeout || reason == EndReason::kMemoryLimit ||
           reason == EndReason::kHostFailure;
}

}  // namespace carrel
