// Property: HLT with interrupts on sleeps until the timer wakes it, neither early nor much later, and costs
// no CPU time meanwhile. Option ms= (default 200): how long. Prints PASS with the time measured or FAIL,
// powers off.
#include "lib/boot_info.h"
#include "lib/clock_x86.h"
#include "lib/cpu_x86.h"
#include "lib/guest.h"
#include "lib/sleep_x86.h"

extern "C" void guest_main() {
    using namespace guest;
    constexpr std::uint64_t kSlackUs = 1000000;
    clock_init();
    const std::uint64_t wanted = option_number("ms", 200) * 1000;
    const std::uint64_t start = rdtsc();
    sleep_us(wanted);
    const std::uint64_t slept = tsc_to_us(rdtsc() - start);
    if (slept < wanted || slept > wanted + kSlackUs) fail("halt", "slept ", slept, " us, not ", wanted);
    pass("halt", "slept ", slept, " us of ", wanted);
}
