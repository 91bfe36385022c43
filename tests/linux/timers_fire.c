// usage: timers_fire SECONDS: a thread on each CPU sleeps so long, then a hundred times for a millisecond.
// Prints how late it was woken by CLOCK_MONOTONIC, and how often its CPU's timer interrupted during the
// hundred.
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "on_each_cpu.h"

enum { kShortSleeps = 100, kMillisecond = 1000000 };

struct Sleeper {
    long long until, late, later;
    long interrupts;
};
static struct Sleeper sleepers[kCpus];

static long long now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static long long sleep_until(long long when) {
    const struct timespec t = {when / 1000000000, when % 1000000000};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
    return now() - when;
}

// The line of /proc/interrupts that counts the local timers'.
static long timer_interrupts(int cpu) {
    char line[256];
    long count = -1;
    FILE* const file = fopen("/proc/interrupts", "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        char* at = strstr(line, "LOC:");
        if (at == NULL) continue;
        at += 4;
        for (int i = 0; i <= cpu; ++i) count = strtol(at, &at, 10);
        break;
    }
    if (file != NULL) fclose(file);
    return count;
}

static void* sleeps(void* argument) {
    const int cpu = (int)(intptr_t)argument;
    struct Sleeper* const me = &sleepers[cpu];
    me->late = sleep_until(me->until);
    me->interrupts = -timer_interrupts(cpu);
    for (int i = 0; i < kShortSleeps; ++i) {
        const long long late = sleep_until(now() + kMillisecond);
        if (late > me->later) me->later = late;
    }
    me->interrupts += timer_interrupts(cpu);
    return NULL;
}

int main(int argc, char** argv) {
    if (argc != 2) return 2;
    pthread_t threads[kCpus];
    const long long until = now() + atoll(argv[1]) * 1000000000LL;
    printf("timers: begin\n");
    fflush(stdout);
    for (int cpu = 0; cpu < kCpus; ++cpu) sleepers[cpu].until = until;
    start_on_each_cpu(sleeps, threads);
    for (int cpu = 0; cpu < kCpus; ++cpu) {
        pthread_join(threads[cpu], NULL);
        const struct Sleeper* const one = &sleepers[cpu];
        printf("timers: cpu %d: late by %lld us, then by %lld us at most, %ld interrupts\n", cpu,
               one->late / 1000, one->later / 1000, one->interrupts);
    }
    printf("timers: end\n");
    return 0;
}
