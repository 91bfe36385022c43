// Property: a load for schedulers whose amount doesn't depend on how fast it is let run: n= bursts (default
// 1) of kilo= thousand rounds of two instructions (default 1000), with a sleep of us= (default 0: none) after
// each. say=1: a line after each burst with its number and the time since the start. Prints PASS with the
// time that it took, powers off.
#include "lib/boot_info.h"
#include "lib/clock_x86.h"
#include "lib/cpu_x86.h"
#include "lib/guest.h"
#include "lib/print.h"
#include "lib/sleep_x86.h"

namespace {

void spin(std::uint64_t rounds) {
    asm volatile("1: dec %0\n\tjnz 1b" : "+r"(rounds) : : "cc");
}

}  // namespace

extern "C" void guest_main() {
    using namespace guest;
    clock_init();
    const std::uint64_t bursts = option_number("n", 1);
    const std::uint64_t rounds = option_number("kilo", 1000) * 1000;
    const std::uint64_t rest = option_number("us", 0);
    const bool say = option_number("say", 0) != 0;
    const std::uint64_t start = rdtsc();
    for (std::uint64_t i = 0; i < bursts; ++i) {
        spin(rounds);
        if (say) print("burst ", i, " at ", tsc_to_us(rdtsc() - start), " us\n");
        if (rest != 0) sleep_us(rest);
    }
    pass("bursts", bursts, " of ", rounds, " rounds in ", tsc_to_us(rdtsc() - start), " us");
}
