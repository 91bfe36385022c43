// Property: every timer interrupts: the local APIC's one-shot, periodic and (where CPUID says so)
// TSC-deadline modes, and PIT channel 0 through the I/O APIC. Prints PASS or FAIL, powers off.
#include "lib/apic_x86.h"
#include "lib/clock_x86.h"
#include "lib/cpu_x86.h"
#include "lib/guest.h"
#include "lib/interrupts_x86.h"
#include "lib/ioapic.h"

using namespace guest;

namespace {

constexpr Text kName = "irq_timer";
constexpr std::uint64_t kPatience = 2000000;

constinit volatile bool arrived = false;
constinit volatile unsigned count = 0;
constinit unsigned wanted = 1;

void on_tick(InterruptFrame&) {
    count = count + 1;
    if (count >= wanted) arrived = true;
}

void expect_ticks(unsigned ticks) {
    wanted = ticks;
    count = 0;
    arrived = false;
}

void wait(const char* what) {
    interrupts_on();
    const bool came = wait_for(arrived, kPatience);
    interrupts_off();
    if (!came) fail(kName, what, ": ", count, " of ", wanted, " interrupts in 2 s");
}

void check_one_shot() {
    expect_ticks(1);
    timer_one_shot(kTimerVector, 200000);
    const std::uint32_t first = local_apic_read(ApicRegister::kTimerCurrent);
    const std::uint32_t second = local_apic_read(ApicRegister::kTimerCurrent);
    if (second > first) fail(kName, "one-shot: the current count goes up");
    wait("one-shot");
    interrupts_on();
    spin_us(1000);
    interrupts_off();
    if (count != 1) fail(kName, "one-shot fired ", count, " times");
    if (local_apic_read(ApicRegister::kTimerCurrent) != 0)
        fail(kName, "one-shot: the count isn't 0 afterwards");
}

void check_periodic() {
    expect_ticks(5);
    timer_periodic(kTimerVector, 1000000);
    wait("periodic");
    timer_stop();
}

void check_deadline() {
    expect_ticks(1);
    const std::uint64_t due = rdtsc() + us_to_tsc(300);
    timer_deadline(kTimerVector, due);
    wait("TSC deadline");
    if (rdtsc() < due) fail(kName, "TSC deadline came early");
    expect_ticks(1);
    timer_deadline(kTimerVector, 1);  // long past: fires at once
    wait("TSC deadline in the past");
    timer_stop();
}

// Intel 8254, mode 2 (rate generator) at 1 kHz.
void check_pit() {
    constexpr std::uint16_t kMillisecond = 1193;
    expect_ticks(3);
    set_handler(kPitVector, on_tick);
    ioapic_route_isa(0, kPitVector);
    out8(0x43, 0x34);
    out8(0x40, kMillisecond & 0xff);
    out8(0x40, kMillisecond >> 8);
    wait("PIT");
    out8(0x43, 0x30);  // mode 0 with no count: no more ticks
}

}  // namespace

extern "C" void guest_main() {
    clock_init();
    set_handler(kTimerVector, on_tick);
    check_one_shot();
    check_periodic();
    if (timer_has_deadline()) check_deadline();
    check_pit();
    pass(kName, "one-shot, periodic, ", timer_has_deadline() ? "TSC deadline, " : "", "PIT");
}
