// How long it takes until a process's vCPUs stand.
// usage: pause_times verb SOCKET NAME TIMES     asks a `carrel host` to pause its guest NAME, until the answer is here; resumes it
//        pause_times signal PID TIMES           SIGSTOP, until /proc says of each of its threads that it is stopped; SIGCONT
// Prints a line a pause: ns. Between two the guest runs for 2 to 4 ms. The times are upper bounds: the request's way and the
// look at /proc are in them.
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static long long now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void fail(const char* what) {
    fprintf(stderr, "pause_times: %s\n", what);
    exit(1);
}

static void let_run(int i) {
    const struct timespec rest = {0, 2000000 + i * 7919 % 2000 * 1000};
    nanosleep(&rest, NULL);
}

static int host_at(const char* path) {
    struct sockaddr_un host = {.sun_family = AF_UNIX};
    strncpy(host.sun_path, path, sizeof host.sun_path - 1);
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(fd, (const struct sockaddr*)&host, sizeof host) != 0) fail("no host there");
    return fd;
}

static void ask(int fd, const char* guest, const char* verb) {
    char text[512];
    const char* const request = "POST /guests/%s/%s HTTP/1.1\r\nHost: carrel\r\nContent-Length: 0\r\n\r\n";
    const int size = snprintf(text, sizeof text, request, guest, verb);
    if (write(fd, text, size) != size) fail("the host takes nothing");
    const ssize_t got = read(fd, text, sizeof text - 1);
    text[got < 0 ? 0 : got] = 0;
    if (strncmp(text, "HTTP/1.1 200", 12) != 0) fail(text);
}

static void by_verb(const char* path, const char* guest, int times) {
    const int fd = host_at(path);
    for (int i = 0; i < times; ++i) {
        let_run(i);
        const long long begin = now();
        ask(fd, guest, "pause");
        printf("%lld\n", now() - begin);
        ask(fd, guest, "resume");
    }
}

// Whether what stands after the name in /proc/PID/task/TID/stat is a T.
static int stopped(int tasks, const char* thread) {
    char path[NAME_MAX + sizeof "/stat"], text[256];
    snprintf(path, sizeof path, "%s/stat", thread);
    const int fd = openat(tasks, path, O_RDONLY);
    if (fd < 0) return 1;  // it has just ended
    const ssize_t got = read(fd, text, sizeof text - 1);
    close(fd);
    text[got < 0 ? 0 : got] = 0;
    const char* const name_end = strrchr(text, ')');
    return name_end != NULL && name_end[2] == 'T';
}

static int all_stopped(DIR* tasks) {
    const struct dirent* entry;
    rewinddir(tasks);
    while ((entry = readdir(tasks)) != NULL)
        if (entry->d_name[0] != '.' && !stopped(dirfd(tasks), entry->d_name)) return 0;
    return 1;
}

static void by_signal(pid_t pid, int times) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task", pid);
    DIR* const tasks = opendir(path);
    if (tasks == NULL) fail("no such process");
    for (int i = 0; i < times; ++i) {
        let_run(i);
        const long long begin = now();
        kill(pid, SIGSTOP);
        while (!all_stopped(tasks)) sched_yield();  // they may need this CPU to stop
        printf("%lld\n", now() - begin);
        kill(pid, SIGCONT);
    }
    closedir(tasks);
}

int main(int argc, char** argv) {
    if (argc == 5 && strcmp(argv[1], "verb") == 0)
        by_verb(argv[2], argv[3], atoi(argv[4]));
    else if (argc == 4 && strcmp(argv[1], "signal") == 0)
        by_signal(atoi(argv[2]), atoi(argv[3]));
    else
        return 2;
    return 0;
}
