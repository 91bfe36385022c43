// Teardown: how a process can be gone while KVM still takes its machines apart.
//
// The last close of a VM descriptor sleeps some 40 ms in the kernel (SRCU and RCU grace periods, kernel
// threads that are told to stop), and whoever closes it waits. An io_uring instance that holds a descriptor
// as a registered file gives it up in a kernel worker, after the process has ended. So memory, files, locks
// and taps are free when our exit status is seen, and only KVM's own structures go a little later; no process
// of ours is left behind.
#pragma once

#include <span>

#include "vmm/base/fd.h"
#include "vmm/base/result.h"

namespace carrel::kvm {

// Has the kernel hold `vms` (descriptors of VMs) until it has dealt with what is returned, which must stay
// open until the process ends. Any thread, when nothing runs any more. An error (no io_uring here) only means
// that our end takes longer.
Result<Fd> defer_teardown(std::span<const int> vms);

}  // namespace carrel::kvm
