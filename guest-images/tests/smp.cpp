// Property: all CPUs of the MADT start by INIT/SIPI and run at once; a shared counter loses no increment;
// IPIs arrive in both directions; each sees its own APIC id. Works to 64 CPUs. Option n= (increments a CPU,
// default 1000). Prints PASS or FAIL, powers off.
#include "lib/smp.h"

#include "lib/apic_x86.h"
#include "lib/atomic.h"
#include "lib/boot_info.h"
#include "lib/clock_x86.h"
#include "lib/cpu_x86.h"
#include "lib/guest.h"
#include "lib/interrupts_x86.h"

using namespace guest;

namespace {

constexpr Text kName = "smp";
constexpr std::uint64_t kPatience = 10000000;

constinit Atomic<std::uint64_t> counter(0);
constinit Atomic<unsigned> finished(0);
constinit Atomic<unsigned> pings(0);
constinit Atomic<unsigned> pongs(0);
constinit std::uint64_t increments = 1000;
constinit std::uint32_t boot_cpu = 0;

void count_up() {
    for (std::uint64_t i = 0; i < increments; ++i) counter.fetch_add(1);
    finished.fetch_add(1);
}

// On the others: answers the boot CPU. On the boot CPU: counts the answers.
void on_ipi(InterruptFrame&) {
    if (local_apic_id() == boot_cpu) {
        pongs.fetch_add(1);
        return;
    }
    pings.fetch_add(1);
    send_ipi(boot_cpu, kIpiVector);
}

bool wait_until(const Atomic<unsigned>& value, unsigned target) {
    const std::uint64_t start = rdtsc();
    interrupts_on();
    while (value.load() < target && tsc_to_us(rdtsc() - start) < kPatience) pause();
    interrupts_off();
    return value.load() >= target;
}

// One at a time: answers that arrive together merge into one interrupt.
void exchange_ipis(unsigned cpus) {
    for (unsigned i = 1; i < cpus; ++i) {
        send_ipi(cpu_apic_id(i), kIpiVector);
        if (!wait_until(pongs, i))
            fail(kName, "CPU ", i, " didn't answer an IPI; it saw ", pings.load(), " in all");
    }
}

void check_ids(unsigned cpus) {
    for (unsigned i = 0; i < cpus; ++i)
        for (unsigned k = 0; k < i; ++k)
            if (cpu_apic_id(i) == cpu_apic_id(k)) fail(kName, "two CPUs have APIC id ", cpu_apic_id(i));
}

}  // namespace

extern "C" void guest_main() {
    clock_init();
    increments = option_number("n", increments);
    boot_cpu = local_apic_id();
    set_handler(kIpiVector, on_ipi);
    const SmpResult result = start_cpus([](unsigned) { count_up(); });
    if (result.problem != nullptr) fail(kName, result.running, " of ", result.listed, ": ", result.problem);
    count_up();
    if (!wait_until(finished, result.running))
        fail(kName, finished.load(), " of ", result.running, " finished");
    if (counter.load() != increments * result.running)
        fail(kName, "the counter lost increments: ", counter.load());
    check_ids(result.running);
    exchange_ipis(result.running);
    pass(kName, result.running, " of ", result.listed, " CPUs");
}
