// For a guest: writes to /dev/vda for as long as it is let: sectors that say what they are, and on the console what was
// acknowledged, a line `ack SEQUENCE SLOT COUNT` for each run of blocks that fsync or O_DSYNC has promised to keep.
// Told to `deceive`, it acknowledges what it never asked to be kept: such a loss has to be found.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { kSector = 512, kBlock = 4096, kSlots = 512, kLongestRun = 8 };
static const uint64_t kMagic = 0x6c65727261632121;

struct sector {
    uint64_t magic;
    uint64_t sequence;
    uint64_t number;  // of this sector on the disk
    uint8_t fill[kSector - 24];
};

_Noreturn static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void fill(struct sector *sectors, uint64_t sequence, uint64_t first, unsigned count) {
    for (unsigned i = 0; i < count; ++i) {
        sectors[i] = (struct sector){.magic = kMagic, .sequence = sequence, .number = first + i};
        memset(sectors[i].fill, (int)(sequence + i), sizeof sectors[i].fill);
    }
}

int main(int count, char **words) {
    static struct sector buffer[kLongestRun * kBlock / kSector] __attribute__((aligned(kBlock)));
    const int deceive = count > 1 && strcmp(words[1], "deceive") == 0;
    // Three ways to the same promise: through the page cache and around it with fsync, and writes that wait by themselves.
    const int ways[] = {open("/dev/vda", O_RDWR), open("/dev/vda", O_RDWR | O_DIRECT),
                        open("/dev/vda", O_RDWR | O_DIRECT | (deceive ? 0 : O_DSYNC))};
    if (ways[0] < 0 || ways[1] < 0 || ways[2] < 0) fail("/dev/vda");
    srandom(1);
    puts("load begins");
    fflush(stdout);
    for (uint64_t sequence = 1;; ++sequence) {
        const int way = (int)(random() % 3);
        const unsigned blocks = 1 + random() % kLongestRun;
        const unsigned slot = random() % (kSlots - kLongestRun);
        const off_t offset = (off_t)slot * kBlock;
        fill(buffer, sequence, (uint64_t)offset / kSector, blocks * kBlock / kSector);
        if (pwrite(ways[way], buffer, blocks * kBlock, offset) != (ssize_t)(blocks * kBlock)) fail("write");
        if (way != 2 && !deceive && fsync(ways[way]) != 0) fail("fsync");
        printf("ack %llu %u %u\n", (unsigned long long)sequence, slot, blocks);
        fflush(stdout);
    }
}
