// How a test runs an EventLoop on its own thread, a bit at a time.
#pragma once

#include <functional>

#include "vmm/base/clock.h"
#include "vmm/base/event_loop.h"

namespace carrel::test {

namespace pump_detail {
struct Enough {};
// A round each, so that whatever else is ready is served, too.
inline void after_rounds(EventLoop& loop, int rounds) {
    loop.post([&loop, rounds] {
        if (rounds != 0) return after_rounds(loop, rounds - 1);
        // Timers come last in a round: no edge that was found together with this is lost.
        loop.after(0, [] { throw Enough{}; });
    });
}
}  // namespace pump_detail

// Serves all that is ready, and what follows from it within `rounds`. (stop() is for good; an exception
// isn't.)
inline void pump(EventLoop& loop, int rounds = 8) {
    pump_detail::after_rounds(loop, rounds);
    try {
        loop.run();
    } catch (const pump_detail::Enough&) {
    }
}

// Until `done`, at most ten seconds: for what the kernel does meanwhile.
inline bool pump_until(EventLoop& loop, const std::function<bool()>& done) {
    const SystemClock clock;
    const Nanoseconds deadline = clock.now() + 10 * kSecond;
    while (!done()) {
        if (clock.now() > deadline) return false;
        pump(loop, 1);
    }
    return true;
}

}  // namespace carrel::test
