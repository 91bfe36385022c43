// Time: the TSC, its frequency (from kvm-clock, else measured against the PIT), kvm-clock itself and the CMOS
// clock.
#pragma once
#include <cstdint>

namespace guest {

void clock_init();
std::uint64_t tsc_khz();
std::uint64_t us_to_tsc(std::uint64_t microseconds);
std::uint64_t tsc_to_us(std::uint64_t ticks);

bool kvm_clock_present();
std::uint64_t kvm_clock_ns();  // nanoseconds since the machine started; 0 without kvm-clock

// Spins until the flag is set or the time is over; true when it was set. Interrupts stay as they are.
bool wait_for(const volatile bool& flag, std::uint64_t microseconds);
void spin_us(std::uint64_t microseconds);

}  // namespace guest
