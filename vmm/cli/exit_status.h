// The exit status of `carrel run`: one table, the README shows the same one.
#pragma once

#include "vmm/base/result.h"
#include "vmm/machine/machine_end.h"

namespace carrel::cli {

enum ExitStatus : int {
    kPoweredOff = 0,
    kGuestReset = 32,
    kGuestTripleFault = 33,
    kGuestPanic = 34,
    kWrongUse = 35,  // options, configuration, files
    kTimedOut = 36,
    kHostFailed = 37,   // the host or KVM
    kEndedByUser = 38,  // Ctrl-A x, a signal
    kOutOfQuota = 39,   // --on-memory-limit kill
};

constexpr ExitStatus exit_status(EndReason reason) {
    switch (reason) {
        case EndReason::kPowerOff: return kPoweredOff;
        case EndReason::kReset: return kGuestReset;
        case EndReason::kTripleFault: return kGuestTripleFault;
        case EndReason::kPanic: return kGuestPanic;
        case EndReason::kTimeout: return kTimedOut;
        case EndReason::kMemoryLimit: return kOutOfQuota;
        case EndReason::kHostFailure: return kHostFailed;
        case EndReason::kUser: return kEndedByUser;
    }
    return kHostFailed;
}

inline ExitStatus exit_status(const Error& error) {
    return error.fault == Fault::kUsage ? kWrongUse : kHostFailed;
}

}  // namespace carrel::cli
