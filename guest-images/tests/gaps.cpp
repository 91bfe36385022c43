// Property: how long a vCPU that never halts stands still. For ms= (default 1000) it reads the TSC again and
// again and keeps the longest gaps between two reads; a gap above us= (default 100) is a stop. Prints PASS
// with the longest gap, the number of stops, and how much of the time it ran, powers off.
#include "lib/boot_info.h"
#include "lib/clock_x86.h"
#include "lib/cpu_x86.h"
#include "lib/guest.h"

extern "C" void guest_main() {
    using namespace guest;
    clock_init();
    const std::uint64_t limit = option_number("ms", 1000) * 1000;
    const std::uint64_t stop_us = option_number("us", 100);
    // In TSC counts, found once: a division for each read would be most of the work.
    std::uint64_t us = 0;
    const std::uint64_t first = rdtsc();
    while (tsc_to_us(rdtsc() - first) < 1000) {
    }
    us = (rdtsc() - first) / 1000;
    const std::uint64_t stop = stop_us * us;
    const std::uint64_t start = rdtsc();
    const std::uint64_t end = start + limit * us;
    std::uint64_t last = start;
    std::uint64_t longest = 0;
    std::uint64_t stood = 0;
    std::uint64_t stops = 0;
    while (last < end) {
        const std::uint64_t now = rdtsc();
        const std::uint64_t gap = now - last;
        last = now;
        if (gap < stop) continue;
        ++stops;
        stood += gap;
        if (gap > longest) longest = gap;
    }
    const std::uint64_t all = last - start;
    pass("gaps", "longest ", tsc_to_us(longest), " us, stops ", stops, ", ran ", (all - stood) / us,
         " us of ", all / us, " us");
}
