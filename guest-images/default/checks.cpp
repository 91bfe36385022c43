// The checks that the default guest makes before it says hello. Each is bounded in time: a broken machine
// gets a line, not a silence.
#include "default/checks.h"

#include <initializer_list>

#include "lib/apic_x86.h"
#include "lib/boot_info.h"
#include "lib/clock_x86.h"
#include "lib/cpu_x86.h"
#include "lib/interrupts_x86.h"
#include "lib/ioapic.h"
#include "lib/paging_x86.h"
#include "lib/print.h"
#include "lib/serial.h"
#include "lib/smp.h"

namespace guest {
namespace {

constexpr std::uint64_t kPatience = 1000000;  // us that an interrupt may take before it counts as missing
constexpr std::uint64_t kPage = 4096;

constinit volatile bool arrived = false;
constinit unsigned failures = 0;
constinit unsigned cpus = 1;

void on_expected(InterruptFrame&) {
    arrived = true;
}

void on_transmit_empty(InterruptFrame&) {
    if ((uart_read(kUartInterruptId) & kIirMask) == kIirTransmit) arrived = true;
}

template <typename... Parts>
void report(Text name, bool good, const Parts&... parts) {
    if (!good) ++failures;
    print("check ", name, good ? ": ok " : ": FAILED ", parts..., "\n");
}

bool wait_for_arrival() {
    interrupts_on();
    const bool came = wait_for(arrived, kPatience);
    interrupts_off();
    return came;
}

void check_long_mode() {
    std::uint16_t cs;
    asm("mov %%cs, %0" : "=r"(cs));
    const std::uint64_t efer = rdmsr(MSR_EFER);
    const bool good = (efer & EFER_LMA) != 0 && cs == SELECTOR_CODE64;
    report("long-mode", good, "efer=", Hex{efer}, " cs=", Hex{cs});
}

// The same byte of RAM seen at two addresses proves that the tables, not luck, translate.
void check_paging() {
    const auto here = reinterpret_cast<std::uint64_t>(&failures);
    const auto* alias = reinterpret_cast<const volatile unsigned*>(window_at(here));
    auto* direct = const_cast<volatile unsigned*>(&failures);
    const unsigned before = *direct;
    *direct = before ^ 0x5aa5a55a;
    const bool good = *alias == (before ^ 0x5aa5a55a) && (read_cr0() >> 31 & 1) != 0;
    *direct = before;
    report("paging", good, "cr3=", Hex{read_cr3()});
}

void check_cpus() {
    const SmpResult result = start_cpus([](unsigned) {});
    cpus = result.running;
    report("cpus", result.running == result.listed, result.running, " of ", result.listed,
           result.problem != nullptr ? ", " : "", result.problem != nullptr ? result.problem : "");
}

void check_timer() {
    constexpr std::uint64_t kDelayUs = 100;
    const bool deadline = timer_has_deadline();
    arrived = false;
    set_handler(kTimerVector, on_expected);
    const std::uint64_t start = rdtsc();
    if (deadline)
        timer_deadline(kTimerVector, start + us_to_tsc(kDelayUs));
    else
        timer_one_shot(kTimerVector, 100000);
    const bool came = wait_for_arrival();
    const std::uint64_t us = tsc_to_us(rdtsc() - start);
    timer_stop();
    report("timer", came, deadline ? "TSC deadline" : "one-shot", came ? ", after " : ", no interrupt in ",
           us, " us");
}

void check_serial() {
    arrived = false;
    set_handler(kSerialVector, on_transmit_empty);
    ioapic_route_isa(kCom1Irq, kSerialVector);
    uart_write(kUartInterruptEnable, kIerTransmit);
    const bool came = wait_for_arrival();
    uart_write(kUartInterruptEnable, 0);
    report("serial", came, came ? "transmit interrupt on IRQ 4" : "no transmit interrupt on IRQ 4");
}

// Two patterns in the first and the last word; what was there is put back.
bool page_works(std::uint64_t page) {
    for (const std::uint64_t offset : {std::uint64_t{0}, kPage - 8}) {
        auto* word = reinterpret_cast<volatile std::uint64_t*>(window_at(page) + offset);
        const std::uint64_t before = *word;
        for (const std::uint64_t pattern : {0x5aa5a55a12345678ull ^ page, ~0x5aa5a55a12345678ull ^ page}) {
            *word = pattern;
            if (*word != pattern) return false;
        }
        *word = before;
    }
    return true;
}

void check_memory() {
    std::uint64_t total = 0, bad = 0;
    const BootInfo& info = boot_info();
    for (unsigned i = 0; i < info.range_count; ++i) {
        const std::uint64_t first = (info.ranges[i].base + kPage - 1) & ~(kPage - 1);
        const std::uint64_t end = info.ranges[i].end() & ~(kPage - 1);
        if (first >= end) continue;
        total += end - first;
        for (const std::uint64_t page : {first, end - kPage})
            if (!page_works(page)) {
                ++bad;
                print("  page at ", Hex{page}, " doesn't keep what is written\n");
            }
    }
    report("memory", bad == 0 && total != 0, total >> 20, " MiB in ", info.range_count, " ranges");
}

}  // namespace

unsigned check_machine() {
    check_long_mode();
    check_paging();
    check_memory();
    check_timer();
    check_serial();
    check_cpus();
    return failures;
}

unsigned running_cpus() {
    return cpus;
}

}  // namespace guest
