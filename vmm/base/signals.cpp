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

}  // namespace carrel::signals
