// Which signal does what in a carrel process. One place, because dispositions belong to the process.
#pragma once

#include <csignal>

namespace carrel::signals {

// Makes a vCPU thread leave KVM_RUN; its handler only sets that thread's immediate_exit (see vmm/kvm/vcpu.h).
inline int kick() {
    return SIGRTMIN;
}

// Everything but `kick` and the synchronous signals: the mask of every thread except main.
sigset_t blocked_in_threads();

}  // namespace carrel::signals
