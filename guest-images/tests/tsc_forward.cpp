// Property: neither the TSC nor kvm-clock ever goes back, nor jumps by seconds, exits or not. Option n=
// (exits, default 1000). Prints PASS or FAIL, powers off.
#include "lib/boot_info.h"
#include "lib/clock_x86.h"
#include "lib/cpu_x86.h"
#include "lib/guest.h"

using namespace guest;

namespace {

constexpr Text kName = "tsc_forward";
constexpr std::uint16_t kNobody = 0x84;  // a port that no device answers
constexpr unsigned kReads = 20;          // for each exit
constexpr std::uint64_t kJumpUs = 60000000;

constinit std::uint64_t last_tsc = 0, last_ns = 0;

void look(std::uint64_t turn) {
    const std::uint64_t tsc = rdtsc();
    const std::uint64_t ns = kvm_clock_ns();
    if (tsc < last_tsc) fail(kName, "the TSC went back by ", tsc_to_us(last_tsc - tsc), " us at exit ", turn);
    if (ns < last_ns) fail(kName, "kvm-clock went back by ", last_ns - ns, " ns at exit ", turn);
    if (turn != 0 && tsc_to_us(tsc - last_tsc) > kJumpUs) fail(kName, "the TSC jumped at exit ", turn);
    last_tsc = tsc, last_ns = ns;
}

}  // namespace

extern "C" void guest_main() {
    clock_init();
    const std::uint64_t exits = option_number("n", 1000);
    last_tsc = rdtsc(), last_ns = kvm_clock_ns();
    for (std::uint64_t turn = 0; turn < exits; ++turn) {
        (void)in8(kNobody);
        for (unsigned i = 0; i < kReads; ++i) look(turn);
    }
    pass(kName, exits, " exits");
}
