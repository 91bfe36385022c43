// A driver that keeps the rules, for one device of any type: what an attack begins with, and what shows
// afterwards whether the device, or the one beside it, still works.
#pragma once
#include <cstdint>

#include "lib/virtio_pci.h"

namespace guest {

// VIRTIO 1.3, 5.2.6: what a chain begins with. It makes sense to a disk; other devices find 16 bytes.
struct BlockHeader {
    std::uint32_t type, reserved;
    std::uint64_t sector;
};
constexpr std::uint32_t kBlockRead = 0, kBlockWrite = 1;
constexpr unsigned kSector = 512;
// The only sector that is ever written: the test holds the rest of the images against what they were.
constexpr std::uint64_t kScratchSector = 8;

// An answer within this time, or there won't be one: the software KVM and the machine under it may be slow.
constexpr std::uint64_t kPatience = 10000000;

class Driver {
  public:
    static constexpr unsigned kMostQueues = 8;

    // False: no virtio device in this slot.
    bool open(unsigned slot);
    // From a reset to DRIVER_OK with all queues, packed where asked for and offered. nullptr, or what went
    // wrong. `features` are accepted besides VERSION_1 as far as they are offered.
    const char* start(bool packed = false, std::uint64_t features = kFeatureIndirect);
    // As start(), while somebody else does what he likes to the device: waits for nothing. True: it may run.
    bool try_to_start(bool packed);
    // The same up to the queues, not yet DRIVER_OK.
    const char* prepare(bool packed, std::uint64_t features);
    const char* go();

    // Whether it knows what to ask for: disks and random numbers, on every queue.
    bool can_ask() const { return device.type() == kVirtioBlock || device.type() == kVirtioEntropy; }
    // A correct request, and whether its answer is right; a frame to send for a network card, on its own
    // queue. Nothing where it doesn't know any.
    const char* ask(unsigned queue = 0);
    // One sector of a disk, to be answered into `data`, or 64 random bytes.
    void offer_request(unsigned queue, std::uint64_t data);

    // The queue's ring, empty again.
    void begin(unsigned queue) {
        queues[queue].begin(memory_[queue], queues[queue].size(), queues[queue].packed());
    }

    VirtioPci device;
    VirtioQueue queues[kMostQueues];
    unsigned count = 0;  // of queues that it drives

  private:
    const char* set_up(bool packed, std::uint64_t features);
    const char* transfer(unsigned queue, std::uint32_t type, std::uint64_t sector);
    const char* ask_disk(unsigned queue);
    const char* ask_random(unsigned queue);
    const char* ask_to_send();

    bool read_only_ = false;
    bool sum_known_ = false;
    std::uint32_t sum_ = 0;  // of a disk's first sector
    std::uint32_t turn_ = 0;
    alignas(64) BlockHeader header_ = {};
    alignas(64) volatile std::uint8_t status_ = 0;
    alignas(kSector) unsigned char data_[kSector] = {};
    QueueMemory memory_[kMostQueues] = {};
};

}  // namespace guest
