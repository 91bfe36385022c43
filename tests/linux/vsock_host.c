// On the host's side of a vsock: Unix sockets, for which busybox has nothing. usage: vsock_host echo|call PATH [PORT [BYTES [TIMES]]]
//   echo  listens at PATH; gives every connection its bytes back
//   call  TIMES at once: connects to PATH, says CONNECT PORT, sends BYTES bytes while it reads them back, and compares
//   stuff connects, sends until nothing is taken for a second, prints how much, and sleeps
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static struct sockaddr_un address(const char* path) {
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    strncpy(a.sun_path, path, sizeof a.sun_path - 1);
    return a;
}

static int echo(const char* path) {
    const struct sockaddr_un here = address(path);
    const int listening = socket(AF_UNIX, SOCK_STREAM, 0);
    if (bind(listening, (const struct sockaddr*)&here, sizeof here) != 0 || listen(listening, 64) != 0) return 1;
    for (;;) {
        const int fd = accept(listening, NULL, NULL);
        if (fd < 0) return 1;
        if (fork() == 0) {
            static char buffer[65536];
            ssize_t got;
            while ((got = read(fd, buffer, sizeof buffer)) > 0)
                for (ssize_t done = 0, n; done < got; done += n)
                    if ((n = write(fd, buffer + done, (size_t)(got - done))) <= 0) _exit(1);
            _exit(0);
        }
        close(fd);
    }
}

static int dial(const char* path, const char* port) {
    const struct sockaddr_un there = address(path);
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    char line[64];
    const int length = snprintf(line, sizeof line, "CONNECT %s\n", port);
    if (connect(fd, (const struct sockaddr*)&there, sizeof there) != 0 || write(fd, line, (size_t)length) != length) return -1;
    for (size_t i = 0; i < sizeof line; ++i) {
        if (read(fd, line + i, 1) != 1) return -1;
        if (line[i] == '\n') return strncmp(line, "OK ", 3) == 0 ? fd : -1;
    }
    return -1;
}

static unsigned char byte(unsigned long n) { return (unsigned char)(n * 7 + n / 251); }

static int call(const char* path, const char* port, unsigned long bytes) {
    const int fd = dial(path, port);
    if (fd < 0) return 1;
    static unsigned char out[65536], in[65536];
    unsigned long sent = 0, got = 0;
    while (got < bytes) {
        struct pollfd p = {fd, (short)(POLLIN | (sent < bytes ? POLLOUT : 0)), 0};
        if (poll(&p, 1, 60000) != 1) return 1;
        if ((p.revents & POLLOUT) != 0) {
            size_t length = 0;
            for (; length < sizeof out && sent + length < bytes; ++length) out[length] = byte(sent + length);
            const ssize_t n = send(fd, out, length, MSG_DONTWAIT);
            if (n > 0) sent += (unsigned long)n;
        }
        if ((p.revents & (POLLIN | POLLHUP)) == 0) continue;
        const ssize_t n = recv(fd, in, sizeof in, MSG_DONTWAIT);
        if (n == 0) return 1;
        for (ssize_t i = 0; i < n; ++i)
            if (in[i] != byte(got + (unsigned long)i)) return 1;
        if (n > 0) got += (unsigned long)n;
    }
    return 0;
}

static int stuff(const char* path, const char* port) {
    const int fd = dial(path, port);
    if (fd < 0) return 1;
    static char block[65536];
    unsigned long sent = 0;
    for (struct pollfd p = {fd, POLLOUT, 0}; poll(&p, 1, 3000) == 1;) {
        const ssize_t n = send(fd, block, sizeof block, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0) return 1;
        sent += (unsigned long)n;
    }
    printf("stuffed %lu\n", sent);
    fflush(stdout);
    return 0;
}

int main(int argc, char** argv) {
    if (argc < 3) return 2;
    signal(SIGPIPE, SIG_IGN);
    if (strcmp(argv[1], "echo") == 0) return echo(argv[2]);
    if (argc < 4) return 2;
    if (strcmp(argv[1], "stuff") == 0) return stuff(argv[2], argv[3]);
    const unsigned long bytes = strtoul(argc > 4 ? argv[4] : "0", NULL, 10);
    const int times = atoi(argc > 5 ? argv[5] : "1");
    int bad = 0;
    for (int i = 0; i < times; ++i)
        if (fork() == 0) _exit(call(argv[2], argv[3], bytes));
    for (int i = 0, status; i < times; ++i) bad += wait(&status) < 0 || status != 0;
    printf("%d of %d calls are good\n", times - bad, times);
    return bad != 0;
}
