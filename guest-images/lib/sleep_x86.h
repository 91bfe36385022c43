// Waiting without burning CPU time: HLT until the local timer, or anything else, interrupts.
#pragma once
#include <cstdint>

namespace guest {

// Sleeps at least this long; uses kTimerVector. clock_init comes first. Interrupts are off before and after.
void sleep_us(std::uint64_t microseconds);

// Arms the local timer to fire once, about that much later, in whichever mode this CPU has.
void arm_timer(unsigned vector, std::uint64_t microseconds);

}  // namespace guest
