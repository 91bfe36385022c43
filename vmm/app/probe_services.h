// What else of the host carrel uses: userfaultfd, io_uring, tap devices. Each is tried, not read from
// a setting; the settings explain a refusal.
#pragma once

#include <optional>
#include <string>

#include "vmm/app/doctor_report.h"
#include "vmm/app/host_files.h"

namespace carrel::app {

struct FaultService {
    int error = 0;                    // of userfaultfd(2) with kernel faults; 0: it worked
    bool device = false;              // /dev/userfaultfd can be opened
    std::optional<uint64_t> setting;  // vm.unprivileged_userfaultfd
};
FaultService try_userfaultfd(Opener& opener);
Finding judge_userfaultfd(const FaultService& service);

struct RingService {
    int error = 0;                    // of io_uring_setup(2)
    std::optional<uint64_t> setting;  // kernel.io_uring_disabled: 0, 1 (without a group), 2 (for all)
};
RingService try_io_uring(Opener& opener);
Finding judge_io_uring(const RingService& service);

struct TapService {
    bool device = false;  // /dev/net/tun can be opened
    bool exists = false;
    bool net_admin = false;  // CAP_NET_ADMIN is effective
};
TapService try_tap(Opener& opener);
Finding judge_tap(const TapService& service);

}  // namespace carrel::app
