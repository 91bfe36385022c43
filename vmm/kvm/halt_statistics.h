// HaltStatistics: how long a vCPU has been halted inside KVM, which userspace sees nothing of.
#pragma once

#include <cstdint>

#include "vmm/base/clock.h"
#include "vmm/base/fd.h"
#include "vmm/base/result.h"

namespace carrel::kvm {

// From KVM's binary statistics (api.rst 4.134, KVM_GET_STATS_FD). Any thread.
class HaltStatistics {
  public:
    struct Values {
        Nanoseconds halted = 0;   // "halt_wait_ns": of the halts that have ended
        bool halted_now = false;  // "blocking"
    };
    // `vcpu`: its descriptor.
    static Result<HaltStatistics> open(int vcpu);
    // Of another process's vCPU, as that passed them on. The error: they are no vCPU's.
    static Result<HaltStatistics> adopt(Fd statistics);
    Values read() const;
    int fd() const { return fd_.get(); }

  private:
    HaltStatistics(Fd fd, uint64_t wait, uint64_t blocking)
        : fd_(std::move(fd)), wait_(wait), blocking_(blocking) {}
    static Result<HaltStatistics> of(Fd fd);
    uint64_t value(uint64_t offset) const;

    Fd fd_;
    uint64_t wait_;  // offsets in the file
    uint64_t blocking_;
};

}  // namespace carrel::kvm
