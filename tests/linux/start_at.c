// usage: start_at SOCKET NAME=MS...: starts guests of a `carrel host`, in the order of the times, which are since its own begin. A
// `carrel ctl` for each would take milliseconds of the one CPU that the guests contend for; this takes some microseconds.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

// 0: done.
static int start(int fd, const char* name, int length) {
    char text[256];
    const char* const request = "POST /guests/%.*s/start HTTP/1.1\r\nHost: carrel\r\nContent-Length: 0\r\n\r\n";
    const int size = snprintf(text, sizeof text, request, length, name);
    if (write(fd, text, size) != size) return 1;
    const ssize_t got = read(fd, text, sizeof text - 1);
    text[got < 0 ? 0 : got] = 0;
    if (strncmp(text, "HTTP/1.1 200", 12) == 0) return 0;
    fprintf(stderr, "start_at: %.*s: %s\n", length, name, text);
    return 1;
}

int main(int argc, char** argv) {
    struct timespec begin;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    if (argc < 3) return 2;
    struct sockaddr_un host = {.sun_family = AF_UNIX};
    strncpy(host.sun_path, argv[1], sizeof host.sun_path - 1);
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(fd, (const struct sockaddr*)&host, sizeof host) != 0) return 1;
    for (int i = 2; i < argc; ++i) {
        const char* const equals = strchr(argv[i], '=');
        if (equals == NULL) return 2;
        const long long at = begin.tv_sec * 1000000000LL + begin.tv_nsec + atoll(equals + 1) * 1000000;
        const struct timespec when = {at / 1000000000, at % 1000000000};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL);
        if (start(fd, argv[i], (int)(equals - argv[i])) != 0) return 1;
    }
    return 0;
}
