// usage: clock_steps SECONDS: sleeps a millisecond again and again for so long by CLOCK_MONOTONIC, and prints the longest time
// that two looks at it lay apart, in us, and what CLOCK_REALTIME moved against it.
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static long long now(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int main(int argc, char** argv) {
    if (argc != 2) return 2;
    const struct timespec rest = {0, 1000000};
    const long long start = now(CLOCK_MONOTONIC), end = start + atoll(argv[1]) * 1000000000LL;
    const long long apart = now(CLOCK_REALTIME) - start;
    long long last = start, longest = 0;
    printf("clock: begin\n");
    fflush(stdout);
    while (last < end) {
        nanosleep(&rest, NULL);
        const long long t = now(CLOCK_MONOTONIC);
        if (t < last) printf("clock: went back\n");
        if (t - last > longest) longest = t - last;
        last = t;
    }
    const long long moved = now(CLOCK_REALTIME) - now(CLOCK_MONOTONIC) - apart;
    printf("clock: longest step %lld us, wall clock moved %lld us\n", longest / 1000, moved / 1000);
    return 0;
}
