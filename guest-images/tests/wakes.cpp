// Property: how late a vCPU that sleeps is woken. n= times (default 100) it sets its timer us= ahead (default
// 1000) and halts. Prints PASS with the median, the 99th of 100 and the worst, in 0.1 us, powers off.
#include "lib/boot_info.h"
#include "lib/clock_x86.h"
#include "lib/cpu_x86.h"
#include "lib/guest.h"
#include "lib/sleep_x86.h"

namespace {

constexpr unsigned kMost = 10000;
std::uint64_t late[kMost];

// Small and used once.
void sort(std::uint64_t* values, std::uint64_t count) {
    for (std::uint64_t gap = count / 2; gap != 0; gap /= 2)
        for (std::uint64_t i = gap; i < count; ++i)
            for (std::uint64_t j = i; j >= gap && values[j - gap] > values[j]; j -= gap) {
                const std::uint64_t swapped = values[j];
                values[j] = values[j - gap];
                values[j - gap] = swapped;
            }
}

}  // namespace

extern "C" void guest_main() {
    using namespace guest;
    clock_init();
    std::uint64_t n = option_number("n", 100);
    if (n == 0 || n > kMost) fail("wakes", "n= is not from 1 to ", kMost);
    const std::uint64_t us = option_number("us", 1000);
    for (std::uint64_t i = 0; i < n; ++i) {
        const std::uint64_t start = rdtsc();
        sleep_us(us);
        late[i] = rdtsc() - start;
    }
    for (std::uint64_t i = 0; i < n; ++i) {
        const std::uint64_t slept = tsc_to_us(late[i] * 10);
        late[i] = slept > us * 10 ? slept - us * 10 : 0;
    }
    sort(late, n);
    pass("wakes", "median ", late[n / 2], ", 99th of 100 ", late[n * 99 / 100], ", worst ", late[n - 1],
         " tenths of a us");
}
