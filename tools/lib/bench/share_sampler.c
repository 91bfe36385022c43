// usage: share_sampler PID SECONDS STEP-US [stolen]: at each step a line "CLOCK_MONOTONIC CPU", both in ns: the CPU time of the
// process's vCPU threads; with `stolen` a third number, the ticks that have been stolen from this machine since the first. It is the
// process's CPU time, by its clock, which is exact at any moment, less that of its other threads, which sleep nearly always (/proc's
// figure for a thread is as old as the last tick while it runs).
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 64 };
static int others[MOST];
static int count;

static long long read_clock(clockid_t clock) {
    struct timespec t = {0, 0};
    clock_gettime(clock, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int open_of_thread(int pid, const char* thread, const char* file) {
    char path[320];
    snprintf(path, sizeof path, "/proc/%d/task/%s/%s", pid, thread, file);
    return open(path, O_RDONLY);
}

static void find_others(int pid) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task", pid);
    DIR* folder = opendir(path);
    if (folder == NULL) exit(1);
    for (struct dirent* one; (one = readdir(folder)) != NULL && count < MOST;) {
        if (one->d_name[0] == '.') continue;
        char name[64] = "";
        const int comm = open_of_thread(pid, one->d_name, "comm");
        if (read(comm, name, sizeof name - 1) > 0 && strstr(name, ":vcpu") == NULL)
            others[count++] = open_of_thread(pid, one->d_name, "schedstat");
        close(comm);
    }
    closedir(folder);
}

static long long used_by_others(void) {
    long long sum = 0;
    for (int i = 0; i < count; ++i) {
        char text[96] = "";
        if (pread(others[i], text, sizeof text - 1, 0) > 0) sum += atoll(text);
    }
    return sum;
}

// Of all CPUs (proc(5), /proc/stat: the eighth number).
static long long stolen_ticks(int stat) {
    char text[256] = "";
    long long stolen = 0;
    if (pread(stat, text, sizeof text - 1, 0) > 0) sscanf(text, "cpu %*d %*d %*d %*d %*d %*d %*d %lld", &stolen);
    return stolen;
}

int main(int argc, char** argv) {
    if (argc != 4 && argc != 5) return 2;
    const int stat = argc == 5 ? open("/proc/stat", O_RDONLY) : -1;
    const int pid = atoi(argv[1]);
    const long long step = atoll(argv[3]) * 1000, steps = atoll(argv[2]) * 1000000000LL / step;
    const clockid_t clock = (clockid_t)(~(unsigned)pid << 3 | 2);  // CPUCLOCK_SCHED of a process
    long long* const taken = malloc((size_t)steps * 3 * sizeof *taken);
    if (taken == NULL) return 1;
    prctl(PR_SET_TIMERSLACK, 1);
    find_others(pid);
    const long long start = read_clock(CLOCK_MONOTONIC);
    for (long long i = 0; i < steps; ++i) {
        const long long at = start + (i + 1) * step;
        const struct timespec until = {at / 1000000000, at % 1000000000};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
        const long long before = read_clock(CLOCK_MONOTONIC);
        taken[3 * i + 1] = read_clock(clock) - used_by_others();
        taken[3 * i] = (before + read_clock(CLOCK_MONOTONIC)) / 2;
        taken[3 * i + 2] = stat < 0 ? 0 : stolen_ticks(stat);
    }
    for (long long i = 0; i < steps; ++i) {
        printf("%lld %lld", taken[3 * i] - start, taken[3 * i + 1]);
        stat < 0 ? printf("\n") : printf(" %lld\n", taken[3 * i + 2] - taken[2]);
    }
    return 0;
}
