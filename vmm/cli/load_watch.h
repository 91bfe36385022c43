// LoadWatch: signals and the time-out while files are read and a kernel is unpacked.
//
// That may take long (a large initrd, a slow disk), and main does it itself: nothing runs yet, so
// there is nothing to be asked and nothing to lose. The first signal, or the time-out, ends the process with
// the same status as later.
#pragma once

#include <array>
#include <csignal>
#include <optional>

#include "vmm/base/clock.h"

namespace carrel::cli {

// On main, one at a time. Block the signals that end a run before it is destroyed, or one may get lost.
class LoadWatch {
  public:
    explicit LoadWatch(std::optional<Nanoseconds> timeout);
    ~LoadWatch();
    LoadWatch(const LoadWatch&) = delete;
    LoadWatch& operator=(const LoadWatch&) = delete;

  private:
    static constexpr std::array<int, 4> kSignals = {SIGTERM, SIGINT, SIGHUP, SIGALRM};
    std::array<struct sigaction, kSignals.size()> before_{};
};

}  // namespace carrel::cli
