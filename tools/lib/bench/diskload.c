// diskload DISK KIND BYTES DEPTH COUNT: COUNT requests of BYTES each, DEPTH of them under way, with O_DIRECT. KIND is
// randread, randwrite or read. All that ended is replaced by one io_submit, as a program that cares does. It does
// so twice, the first time to fill what is filled once, and prints the nanoseconds of the second.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { kMostDepth = 64 };

struct load {
    int fd;
    int random, write;
    size_t bytes;
    unsigned depth, count;
    uint64_t blocks, seed, next;
    char* buffers;
};

static uint64_t place(struct load* load) {
    if (!load->random) return load->next++ % load->blocks;
    load->seed = load->seed * 6364136223846793005u + 1442695040888963407u;  // Knuth, MMIX
    return (load->seed >> 33) % load->blocks;
}

static void prepare(struct load* load, struct iocb* request, unsigned slot) {
    memset(request, 0, sizeof *request);
    request->aio_data = slot;
    request->aio_fildes = (uint32_t)load->fd;
    request->aio_lio_opcode = load->write ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD;
    request->aio_buf = (uint64_t)(uintptr_t)(load->buffers + slot * load->bytes);
    request->aio_nbytes = load->bytes;
    request->aio_offset = (int64_t)(place(load) * load->bytes);
}

static int run(struct load* load, aio_context_t context) {
    struct iocb requests[kMostDepth];
    struct iocb* list[kMostDepth];
    struct io_event events[kMostDepth];
    unsigned ready = 0, started = 0, ended = 0;
    for (; ready < load->depth; ++ready) {
        prepare(load, &requests[ready], ready);
        list[ready] = &requests[ready];
    }
    while (ended < load->count) {
        if (ready > load->count - started) ready = load->count - started;
        if (ready > 0 && syscall(SYS_io_submit, context, (long)ready, list) != (long)ready) return -1;
        started += ready;
        const long got = syscall(SYS_io_getevents, context, 1L, (long)load->depth, events, NULL);
        if (got < 1) return -1;
        for (ready = 0; ready < (unsigned)got; ++ready) {
            if (events[ready].res != (int64_t)load->bytes) return -1;
            const unsigned slot = (unsigned)events[ready].data;
            prepare(load, &requests[slot], slot);
            list[ready] = &requests[slot];
        }
        ended += (unsigned)got;
    }
    return 0;
}

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

int main(int argc, char** argv) {
    if (argc != 6) return 2;
    struct load load = {.random = strncmp(argv[2], "rand", 4) == 0, .write = strstr(argv[2], "write") != NULL,
                        .bytes = strtoul(argv[3], NULL, 10), .depth = (unsigned)atoi(argv[4]), .count = (unsigned)atoi(argv[5])};
    load.fd = open(argv[1], (load.write ? O_RDWR : O_RDONLY) | O_DIRECT);
    const off_t size = load.fd < 0 ? -1 : lseek(load.fd, 0, SEEK_END);
    aio_context_t context = 0;
    if (size <= 0 || load.depth > kMostDepth || syscall(SYS_io_setup, (unsigned)kMostDepth, &context) != 0 ||
        posix_memalign((void**)&load.buffers, 1u << 21, load.bytes * load.depth) != 0) {
        perror(argv[1]);
        return 1;
    }
    memset(load.buffers, 0x5a, load.bytes * load.depth);
    load.blocks = (uint64_t)size / load.bytes;
    if (run(&load, context) != 0) return perror("run"), 1;
    load.seed = load.next = 0;
    const uint64_t start = now();
    if (run(&load, context) != 0) return perror("run"), 1;
    printf("%llu\n", (unsigned long long)(now() - start));
    return 0;
}
