#include "vmm/base/signals.h"

#include <initializer_list>

namespace carrel::signals {

sigset_t blocked_in_threads() {
    sigset_t set;
    ::sigfillset(&set);
    for (const int synchronous : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP})
        ::sigdelset(&set, synchronous);
    ::sigdelset(&set, kick());
    return set;
}

void block_terminal_signals() {
    sigset_t set;
    ::sigemptyset(&set);
    ::sigaddset(&set, SIGTTOU);
    ::sigaddset(&set, SIGTTIN);
    ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

}  // namespace carrel::signals
