// What is said of a fault in our own code before the process ends of it: enough to find the place with
// `addr2line -e carrel`.
#pragma once

#include <csignal>

namespace carrel::crash_registry {

// One line on stderr. In a signal handler that got `info` and `context` (SA_SIGINFO); nothing where somebody
// has sent the signal, or it isn't one of a fault.
void tell_crash(int signal, const siginfo_t& info, const void* context);

}  // namespace carrel::crash_registry
