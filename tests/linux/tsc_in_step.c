// usage: tsc_in_step ROUNDS MILLISECONDS: one thread on each CPU reads the TSC and CLOCK_MONOTONIC, again and
// again, and compares them with what any of them read last, as the kernel's check_tsc_warp does: nobody may
// read less. A thread never waits for the others but sleeps at random, so that each CPU takes over from each
// other one also where all share one CPU of the host. Per round it prints how often a CPU read less, how
// small an offset would have shown, and the longest step. What was read last outlives the rounds.
#define _GNU_SOURCE
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "on_each_cpu.h"

enum { kReads = 100, kLongestSleepNs = 1000000 };

struct Clock {
    uint64_t last, behind, longest_step, warps;
};
// Under `taken`, as all that follows but `stopped`.
static struct Clock tsc, monotonic;
// Ticks between a read of one and the next read, which is another's; 0: none yet.
static uint64_t least[kCpus][kCpus];
static int last_cpu = -1;
static atomic_flag taken = ATOMIC_FLAG_INIT;
static atomic_int stopped;

static uint64_t read_tsc(void) {
    uint32_t low, high;
    __asm__ volatile("lfence; rdtsc; lfence" : "=a"(low), "=d"(high)::"memory");
    return (uint64_t)high << 32 | low;
}

static uint64_t read_monotonic(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void look(struct Clock* clock, uint64_t now) {
    if (now < clock->last) {
        ++clock->warps;
        if (clock->last - now > clock->behind) clock->behind = clock->last - now;
    } else if (clock->last != 0 && now - clock->last > clock->longest_step) {
        clock->longest_step = now - clock->last;
    }
    clock->last = now;
}

static void look_from(int cpu) {
    const uint64_t before = tsc.last;
    look(&tsc, read_tsc());
    look(&monotonic, read_monotonic());
    if (last_cpu >= 0 && last_cpu != cpu && tsc.last >= before) {
        uint64_t* const apart = &least[last_cpu][cpu];
        if (*apart == 0 || tsc.last - before < *apart) *apart = tsc.last - before;
    }
    last_cpu = cpu;
}

static void* watch(void* argument) {
    const int cpu = (int)(intptr_t)argument;
    unsigned seed = (unsigned)cpu;
    while (!stopped) {
        for (int i = 0; i < kReads; ++i) {
            if (atomic_flag_test_and_set(&taken)) continue;
            look_from(cpu);
            atomic_flag_clear(&taken);
        }
        const struct timespec rest = {0, rand_r(&seed) % kLongestSleepNs};
        nanosleep(&rest, NULL);
    }
    return NULL;
}

// Begins anew, but for what was read last.
static void print_clock(const char* name, struct Clock* clock, double ticks_per_us) {
    printf("%s %lu warps by %.1f us, longest %.0f us; ", name, clock->warps, clock->behind / ticks_per_us,
           clock->longest_step / ticks_per_us);
    clock->warps = clock->behind = clock->longest_step = 0;
}

static void print_round(int round, double ticks_per_us) {
    int ways = 0;
    uint64_t would_show = 0;
    for (int from = 0; from < kCpus; ++from) {
        for (int to = 0; to < kCpus; ++to) {
            if (least[from][to] == 0) continue;
            ++ways;
            if (least[from][to] > would_show) would_show = least[from][to];
            least[from][to] = 0;
        }
    }
    printf("step: round %d: ", round);
    print_clock("tsc", &tsc, ticks_per_us);
    print_clock("clock", &monotonic, 1e3);
    printf("%d ways, %.1f us would show\n", ways, would_show / ticks_per_us);
    fflush(stdout);
}

int main(int argc, char** argv) {
    if (argc != 3) return 2;
    const useconds_t moment = 10000;
    const uint64_t ticks = read_tsc(), ns = read_monotonic();
    usleep(moment);
    const double ticks_per_us = (double)(read_tsc() - ticks) * 1e3 / (double)(read_monotonic() - ns);
    pthread_t threads[kCpus];
    start_on_each_cpu(watch, threads);
    for (int round = 1; round <= atoi(argv[1]); ++round) {
        usleep((useconds_t)atoi(argv[2]) * 1000);
        while (atomic_flag_test_and_set(&taken)) sched_yield();
        print_round(round, ticks_per_us);
        atomic_flag_clear(&taken);
    }
    stopped = 1;
    for (int cpu = 0; cpu < kCpus; ++cpu) pthread_join(threads[cpu], NULL);
    return 0;
}
