#include "hostile/driver.h"

namespace guest {
namespace {

constexpr std::uint64_t kFeatureReadOnly = 1ull << 5;  // VIRTIO_BLK_F_RO, 5.2.3
constexpr unsigned kRandomBytes = 64;

std::uint64_t address_of(const volatile void* object) {
    return reinterpret_cast<std::uint64_t>(object);
}

std::uint32_t sum_of(const unsigned char* bytes) {
    std::uint32_t sum = 0;
    for (unsigned i = 0; i < kSector; i += 4)
        sum = sum * 31 + read_physical<std::uint32_t>(address_of(bytes + i));
    return sum;
}

// All of it comes back: those of a transmit queue do at once, well made or not.
bool collect_all(VirtioQueue& queue) {
    Used used;
    while (!queue.all_back())
        if (!queue.wait(used, kPatience)) return false;
    return true;
}

}  // namespace

bool Driver::open(unsigned slot) {
    if (!device.open(slot)) return false;
    read_only_ = device.type() == kVirtioBlock && (device.offered() & kFeatureReadOnly) != 0;
    return true;
}

const char* Driver::prepare(bool packed, std::uint64_t features) {
    return device.reset() ? set_up(packed, features) : "its status doesn't become 0";
}

bool Driver::try_to_start(bool packed) {
    (void)device.reset(0);
    return set_up(packed, kFeatureIndirect) == nullptr && go() == nullptr;
}

const char* Driver::set_up(bool packed, std::uint64_t features) {
    if (packed) features |= kFeaturePacked;
    if (read_only_) features |= kFeatureReadOnly;
    if (!device.negotiate((features & device.offered()) | kFeatureVersion1)) return "FEATURES_OK didn't stay";
    const unsigned there = device.queues();
    count = there < kMostQueues ? there : kMostQueues;
    for (unsigned q = 0; q < count; ++q) {
        const std::uint16_t largest = device.largest(q);
        if (largest == 0) return "it counts a queue that isn't there";
        queues[q].begin(memory_[q], largest < QueueMemory::kMost ? largest : QueueMemory::kMost, packed);
        device.set_queue(q, queues[q].place());
    }
    return nullptr;
}

const char* Driver::go() {
    device.set_status(kVirtioAcknowledge | kVirtioDriver | kVirtioFeaturesOk | kVirtioDriverOk);
    const std::uint8_t status = device.status();
    if ((status & kVirtioNeedsReset) != 0) return "it says NEEDS_RESET to a driver that keeps the rules";
    return (status & kVirtioDriverOk) != 0 ? nullptr : "DRIVER_OK didn't stay";
}

const char* Driver::start(bool packed, std::uint64_t features) {
    if (const char* problem = prepare(packed, features)) return problem;
    return go();
}

void Driver::offer_request(unsigned queue, std::uint64_t data) {
    if (device.type() != kVirtioBlock) {
        const Buffer buffer{data, kRandomBytes, kDescWrite};
        return queues[queue].offer(&buffer, 1);
    }
    header_ = {kBlockRead, 0, 0};
    const Buffer buffers[] = {
        {address_of(&header_), 16}, {data, kSector, kDescWrite}, {address_of(&status_), 1, kDescWrite}};
    queues[queue].offer(buffers, 3);
}

const char* Driver::transfer(unsigned queue, std::uint32_t type, std::uint64_t sector) {
    header_ = {type, 0, sector};
    status_ = 0xff;
    const std::uint16_t data_flags = type == kBlockRead ? kDescWrite : 0;
    const Buffer buffers[] = {{address_of(&header_), 16},
                              {address_of(data_), kSector, data_flags},
                              {address_of(&status_), 1, kDescWrite}};
    queues[queue].offer(buffers, 3);
    device.notify(queue);
    Used used;
    if (!queues[queue].wait(used, kPatience)) return "a correct request is never answered";
    return status_ == 0 ? nullptr : "a correct request ends with an error";
}

// The first sector is what it was; what is written is what is read.
const char* Driver::ask_disk(unsigned queue) {
    if (const char* problem = transfer(queue, kBlockRead, 0)) return problem;
    const std::uint32_t sum = sum_of(data_);
    if (sum_known_ && sum != sum_) return "the disk's first sector has changed";
    sum_ = sum, sum_known_ = true;
    if (read_only_) return nullptr;
    for (unsigned i = 0; i < kSector; i += 8)
        write_physical<std::uint64_t>(address_of(data_) + i, ++turn_ + i);
    const std::uint32_t written = sum_of(data_);
    if (const char* problem = transfer(queue, kBlockWrite, kScratchSector)) return problem;
    for (unsigned i = 0; i < kSector; i += 8) write_physical<std::uint64_t>(address_of(data_) + i, 0);
    if (const char* problem = transfer(queue, kBlockRead, kScratchSector)) return problem;
    return sum_of(data_) == written ? nullptr : "a sector reads other than it was written";
}

const char* Driver::ask_random(unsigned queue) {
    for (unsigned i = 0; i < kRandomBytes; i += 8) write_physical<std::uint64_t>(address_of(data_) + i, 0);
    offer_request(queue, address_of(data_));
    device.notify(queue);
    Used used;
    if (!queues[queue].wait(used, kPatience)) return "a correct request is never answered";
    if (used.length != kRandomBytes) return "random bytes are missing";
    std::uint64_t seen = 0;
    for (unsigned i = 0; i < kRandomBytes; i += 8)
        seen |= read_physical<std::uint64_t>(address_of(data_) + i);
    return seen != 0 ? nullptr : "the random bytes are all zero";
}

// VIRTIO 1.3, 5.1.2 and 5.1.6: a header of zeros, and a frame to everybody of a type that is nobody's.
const char* Driver::ask_to_send() {
    constexpr unsigned kSendQueue = 1, kHeader = 12, kFrame = 60;
    if (count <= kSendQueue) return nullptr;
    for (unsigned i = 0; i < kHeader + kFrame; ++i) data_[i] = i >= kHeader && i < kHeader + 6 ? 0xff : 0;
    data_[kHeader + 6] = 2;
    data_[kHeader + 12] = 0x88, data_[kHeader + 13] = 0xb5;
    const Buffer buffer{address_of(data_), kHeader + kFrame};
    VirtioQueue& queue = queues[kSendQueue];
    if (!collect_all(queue)) return "what was offered before never came back";
    queue.offer(&buffer, 1);
    device.notify(kSendQueue);
    return collect_all(queue) ? nullptr : "a frame is never sent";
}

const char* Driver::ask(unsigned queue) {
    if (device.type() == kVirtioBlock) return ask_disk(queue);
    if (device.type() == kVirtioEntropy) return ask_random(queue);
    if (device.type() == kVirtioNet) return ask_to_send();
    return nullptr;
}

}  // namespace guest
