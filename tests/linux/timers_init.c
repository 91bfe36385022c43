// Init of a guest that is woken by its timer some ten thousand times a second, while it sleeps and while it works: prints how
// many rounds it made, and powers off. An interrupt that is delivered twice deadlocks its kernel (tools/lib/qemu_mend.py).
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/reboot.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { kRounds = 15000, kTimerMicroseconds = 97, kLongestSleep = 60000, kLongestWork = 0x3fff };

static volatile long alarms;

static void on_alarm(int number) {
    (void)number;
    ++alarms;
}

int main(void) {
    const struct itimerval timer = {{0, kTimerMicroseconds}, {0, kTimerMicroseconds}};
    signal(SIGALRM, on_alarm);
    setitimer(ITIMER_REAL, &timer, NULL);
    srandom(1);
    for (int i = 0; i < kRounds; ++i) {
        const struct timespec pause = {0, 1000 + random() % kLongestSleep};
        if (random() & 1) nanosleep(&pause, NULL);
        else for (volatile long work = random() & kLongestWork; work > 0; --work) {}
    }
    printf("timers: %d rounds, %s\n", kRounds, alarms > kRounds / 10 ? "alarms came" : "no alarms");
    fflush(stdout);
    reboot(RB_POWER_OFF);
    return 1;
}
