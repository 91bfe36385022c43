// INIT/SIPI and what each CPU does first. See smp.h; the trampoline is in entry_x86.S.
#include "lib/smp.h"

#include "lib/acpi.h"
#include "lib/apic_x86.h"
#include "lib/atomic.h"
#include "lib/boot_info.h"
#include "lib/clock_x86.h"
#include "lib/cpu_x86.h"
#include "lib/interrupts_x86.h"
#include "lib/physical.h"

extern "C" const std::uint8_t ap_trampoline[], ap_trampoline_end[];

namespace guest {
namespace {

constexpr std::uint64_t kPage = 4096;
constexpr std::uint64_t kLowEnd = 0xa0000;  // SIPI reaches the first MiB; from here on it isn't RAM on a PC
constexpr std::uint64_t kInitDelayUs = 200;
constexpr std::uint64_t kStartUs = 100000;
constexpr std::uint64_t kGiveUpUs = 5000000;

constinit Atomic<unsigned> running(1);
constinit std::uint32_t apic_ids[MAX_CPUS] = {};
constinit CpuMain cpu_main = nullptr;

void copy_trampoline(std::uint64_t page) {
    for (const std::uint8_t* byte = ap_trampoline; byte != ap_trampoline_end; ++byte)
        write_physical<std::uint8_t>(page + static_cast<std::uint64_t>(byte - ap_trampoline), *byte);
}

template <typename Send>
void for_other_cpus(unsigned count, Send send) {
    for (unsigned i = 0; i < count; ++i)
        if (acpi().cpu_ids[i] != apic_ids[0]) send(acpi().cpu_ids[i]);
}

bool wait_for_cpus(unsigned count, std::uint64_t microseconds) {
    const std::uint64_t start = rdtsc();
    while (running.load() < count) {
        if (tsc_to_us(rdtsc() - start) > microseconds) return false;
        pause();
    }
    return true;
}

}  // namespace

std::uint64_t low_page(std::uint64_t limit) {
    std::uint64_t best = 0;
    if (limit > kLowEnd) limit = kLowEnd;
    for (unsigned i = 0; i < boot_info().range_count; ++i) {
        const MemoryRange range = boot_info().ranges[i];
        const std::uint64_t end = (range.end() < limit ? range.end() : limit) & ~(kPage - 1);
        if (end < range.base + 2 * kPage) continue;  // page 0 holds the real-mode interrupt table
        if (end - kPage > best) best = end - kPage;
    }
    return best;
}

SmpResult start_cpus(CpuMain main) {
    apic_ids[0] = local_apic_id();
    cpu_main = main;
    const unsigned listed = acpi().cpu_count;
    const unsigned count = listed < MAX_CPUS ? listed : MAX_CPUS;
    if (listed == 0) return {0, 1, "the MADT lists no CPU"};
    if (count == 1) return {1, 1, nullptr};
    const std::uint64_t page = low_page(kLowEnd);
    if (page == 0) return {listed, 1, "no RAM below 640 KiB for the trampoline"};
    copy_trampoline(page);
    for_other_cpus(count, send_init);
    spin_us(kInitDelayUs);
    const auto start = [page](std::uint32_t id) { send_startup(id, static_cast<unsigned>(page / kPage)); };
    for_other_cpus(count, start);
    if (!wait_for_cpus(count, kStartUs)) for_other_cpus(count, start);  // ignored by those that run
    if (!wait_for_cpus(count, kGiveUpUs)) return {listed, running.load(), "some CPUs never arrived"};
    return {listed, count, listed > MAX_CPUS ? "the MADT lists more than 64 CPUs" : nullptr};
}

std::uint32_t cpu_apic_id(unsigned index) {
    return apic_ids[index];
}

}  // namespace guest

extern "C" void ap_start(unsigned index) {
    using namespace guest;
    interrupts_load();
    local_apic_enable();
    apic_ids[index] = local_apic_id();
    running.fetch_add(1);
    cpu_main(index);
    for (;;) sleep_until_interrupt();
}
