// Property: memory keeps what is written into it, however much of it the host keeps resident. Writes one word
// into every page of mib= MiB (default 32) from 8 MiB on, and again after it has read what was there, in
// rounds= rounds (default 2); with all=1 by all CPUs at once, each its share. Says `touched in N us` after
// each round, ends with PASS or FAIL and powers off.
#include "lib/atomic.h"
#include "lib/boot_info.h"
#include "lib/clock_x86.h"
#include "lib/cpu_x86.h"
#include "lib/guest.h"
#include "lib/smp.h"

using namespace guest;

namespace {

constexpr Text kName = "touch_memory";
constexpr std::uint64_t kPage = 4096;
constexpr std::uint64_t kFirst = std::uint64_t{8} << 20;
constexpr std::uint64_t kWordStep = 136;  // another word of its page for each

constinit Atomic<unsigned> finished(0);
constinit Atomic<unsigned> bad(0);
constinit std::uint64_t pages = 0;
constinit std::uint64_t rounds = 0;
constinit Atomic<unsigned> sharers(0);  // 0: not known yet

volatile std::uint64_t& word_of(std::uint64_t page) {
    return *reinterpret_cast<volatile std::uint64_t*>(kFirst + page * kPage + page * kWordStep % kPage);
}

std::uint64_t value_of(std::uint64_t page, std::uint64_t round) {
    return (page + 1) * 0x9e3779b97f4a7c15 + round;
}

void touch_share(unsigned index) {
    while (sharers.load() == 0) continue;
    const unsigned all = sharers.load();
    std::uint64_t begin = rdtsc();
    for (std::uint64_t round = 0; round < rounds; ++round) {
        for (std::uint64_t page = index; page < pages; page += all) {
            const std::uint64_t before = round == 0 ? 0 : value_of(page, round - 1);
            if (word_of(page) != before) bad.fetch_add(1);
            word_of(page) = value_of(page, round);
        }
        if (index == 0) print("touched in ", tsc_to_us(rdtsc() - begin), " us\n");
        begin = rdtsc();
    }
    for (std::uint64_t page = index; page < pages; page += all)
        if (word_of(page) != value_of(page, rounds - 1)) bad.fetch_add(1);
    finished.fetch_add(1);
}

}  // namespace

extern "C" void guest_main() {
    clock_init();
    pages = option_number("mib", 32) * ((std::uint64_t{1} << 20) / kPage);
    rounds = option_number("rounds", 2);
    unsigned running = 1;
    if (option_number("all", 0) != 0) {
        const SmpResult cpus = start_cpus(touch_share);
        if (cpus.problem != nullptr) fail(kName, cpus.problem);
        running = cpus.running;
    }
    sharers.store(running);
    touch_share(0);
    while (finished.load() < running) continue;
    if (bad.load() != 0) fail(kName, bad.load(), " words of ", pages, " pages are wrong");
    pass(kName, pages, " pages by ", running, " CPUs in ", rounds, " rounds");
}
