// One thread for each of the four CPUs of a guest, which stays there; its argument is the CPU's number. Needs
// _GNU_SOURCE.
#pragma once

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

enum { kCpus = 4 };

static void start_on_each_cpu(void* (*work)(void*), pthread_t threads[kCpus]) {
    for (int cpu = 0; cpu < kCpus; ++cpu) {
        cpu_set_t only;
        CPU_ZERO(&only);
        CPU_SET(cpu, &only);
        pthread_attr_t attributes;
        pthread_attr_init(&attributes);
        pthread_attr_setaffinity_np(&attributes, sizeof only, &only);
        if (pthread_create(&threads[cpu], &attributes, work, (void*)(long)cpu) != 0) exit(1);
    }
}
