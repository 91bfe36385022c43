// HLT and the local timer. See sleep_x86.h.
#include "lib/sleep_x86.h"

#include "lib/apic_x86.h"
#include "lib/clock_x86.h"
#include "lib/cpu_x86.h"
#include "lib/interrupts_x86.h"

namespace guest {

void arm_timer(unsigned vector, std::uint64_t microseconds) {
    if (timer_has_deadline()) return timer_deadline(vector, rdtsc() + us_to_tsc(microseconds));
    // KVM's and QEMU's timers tick at 1 GHz. Where they tick slower, sleep_us oversleeps; where faster, it
    // arms again.
    constexpr std::uint64_t kTicksPerUs = 1000;
    const std::uint64_t ticks = microseconds * kTicksPerUs + 1;
    timer_one_shot(vector, ticks < 0xffffffff ? static_cast<std::uint32_t>(ticks) : 0xffffffff);
}

void sleep_us(std::uint64_t microseconds) {
    const std::uint64_t start = rdtsc();
    set_handler(kTimerVector, [](InterruptFrame&) {});
    for (std::uint64_t gone = 0; gone < microseconds; gone = tsc_to_us(rdtsc() - start)) {
        arm_timer(kTimerVector, microseconds - gone);
        sleep_until_interrupt();
    }
    timer_stop();
}

}  // namespace guest
