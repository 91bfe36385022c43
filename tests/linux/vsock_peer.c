// In the guest: streams over AF_VSOCK, for which busybox has nothing. usage: vsock_peer echo|send|stuck PORT [BYTES]
//   echo   listens at PORT; gives every connection its bytes back, each in a process of its own
//   send   connects to port PORT of the host and sends BYTES bytes, the n-th of them n * 7 + n / 251; then reads to the end and
//          says "received N sum S"
//   stuck  listens at PORT, takes one connection, and never reads
#include <linux/vm_sockets.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <signal.h>

static int fail(const char* what) {
    perror(what);
    return 1;
}

static struct sockaddr_vm address(unsigned cid, unsigned port) {
    struct sockaddr_vm a = {.svm_family = AF_VSOCK, .svm_cid = cid, .svm_port = port};
    return a;
}

static void echo(int fd) {
    static char buffer[65536];
    ssize_t got;
    while ((got = read(fd, buffer, sizeof buffer)) > 0)
        for (ssize_t done = 0, n; done < got; done += n)
            if ((n = write(fd, buffer + done, (size_t)(got - done))) <= 0) exit(1);
    exit(0);
}

static int serve(unsigned port, int stuck) {
    const struct sockaddr_vm here = address(VMADDR_CID_ANY, port);
    const int listening = socket(AF_VSOCK, SOCK_STREAM, 0);
    if (listening < 0 || bind(listening, (const struct sockaddr*)&here, sizeof here) != 0 || listen(listening, 64) != 0)
        return fail("listen");
    for (;;) {
        const int fd = accept(listening, NULL, NULL);
        if (fd < 0) return fail("accept");
        if (stuck) continue;
        if (fork() == 0) echo(fd);
        close(fd);
    }
}

static int send_bytes(unsigned port, unsigned long bytes) {
    const struct sockaddr_vm host = address(VMADDR_CID_HOST, port);
    const int fd = socket(AF_VSOCK, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr*)&host, sizeof host) != 0) return fail("connect");
    static unsigned char buffer[65536];
    for (unsigned long n = 0; n < bytes;) {
        size_t length = 0;
        for (; length < sizeof buffer && n < bytes; ++n) buffer[length++] = (unsigned char)(n * 7 + n / 251);
        for (size_t done = 0; done < length;) {
            const ssize_t sent = write(fd, buffer + done, length - done);
            if (sent <= 0) return fail("write");
            done += (size_t)sent;
        }
    }
    shutdown(fd, SHUT_WR);
    unsigned long received = 0, sum = 0;
    for (ssize_t got; (got = read(fd, buffer, sizeof buffer)) > 0; received += (unsigned long)got)
        for (ssize_t i = 0; i < got; ++i) sum += buffer[i] * ((received + (unsigned long)i) % 1000 + 1);
    printf("received %lu sum %lu\n", received, sum);
    return 0;
}

int main(int argc, char** argv) {
    if (argc < 3) return 2;
    signal(SIGCHLD, SIG_IGN);
    const unsigned port = (unsigned)strtoul(argv[2], NULL, 10);
    if (strcmp(argv[1], "send") == 0) return send_bytes(port, strtoul(argc > 3 ? argv[3] : "0", NULL, 10));
    return serve(port, strcmp(argv[1], "stuck") == 0);
}
