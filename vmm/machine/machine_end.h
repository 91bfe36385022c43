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
    kHostFailure,  // KVM or the host couldn't go on
    kUser,         // Ctrl-A x or a signal
};

struct MachineEnd {
    EndReason reason = EndReason::kPowerOff;
    std::string detail;  // a sentence or a report; may be empty
};

}  // namespace carrel
