// Which signal does what in a carrel process. One place, because dispositions belong to the process.
#pragma once

#include <csignal>

namespace carrel::signals {

// Makes a vCPU thread leave KVM_RUN; its handler only sets that thread's immediate_exit (see vmm/kvm/vcpu.h).
// Not a real-time signal: those need a place in the user's queue (RLIMIT_SIGPENDING, shared by all of the
// user's processes), and a kick that finds it full would be lost.
inline int kick() {
    return SIGUSR2;
}

// Everything but `kick` and the synchronous signals: the mask of every thread except main.
sigset_t blocked_in_threads();

// On main: a terminal that is another job's is written to and set all the same, as by all other threads.
void block_terminal_signals();

}  // namespace carrel::signals
