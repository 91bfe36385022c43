// Exit: why a vCPU came back from KVM_RUN, as far as it concerns us.
#pragma once

#include <cstdint>
#include <span>
#include <variant>

#include "vmm/model/gpa.h"

namespace carrel::kvm {

// KVM_EXIT_IO. `data` holds count elements of `size` bytes and lies in kvm_run: a read is answered by filling
// it. String I/O has count > 1 and keeps the port while the data moves on.
struct PortExit {
    uint16_t port;
    bool write;
    uint8_t size;
    uint32_t count;
    std::span<std::byte> data;
};
// KVM_EXIT_MMIO. One to eight bytes; longer or unaligned accesses come in pieces.
struct MmioExit {
    Gpa address;
    bool write;
    std::span<std::byte> data;
};
struct HaltExit {};      // only without the in-kernel irqchip
struct ShutdownExit {};  // triple fault
struct SystemEventExit {
    uint32_t type;  // KVM_SYSTEM_EVENT_*
};
struct InterruptedExit {};  // a signal or immediate_exit
struct IgnoredExit {};      // nothing for us to do
// KVM can't go on with this vCPU. The details are in the report (vmm/observe/failure_report.h).
struct FailedExit {
    uint32_t reason;     // KVM_EXIT_FAIL_ENTRY, KVM_EXIT_INTERNAL_ERROR, or one we don't know
    uint64_t code;       // hardware entry failure reason, suberror
    uint64_t detail[8];  // KVM_EXIT_INTERNAL_ERROR's data
    uint32_t details;
};
// KVM_RUN itself failed.
struct RefusedExit {
    int error;  // errno: EFAULT for memory that can't be had, …
};

using Exit = std::variant<PortExit, MmioExit, HaltExit, ShutdownExit, SystemEventExit, InterruptedExit,
                          IgnoredExit, FailedExit, RefusedExit>;

}  // namespace carrel::kvm
