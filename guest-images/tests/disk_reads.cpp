// Property: a disk (VIRTIO 1.3, section 5.2) answers whoever reads its first sector again and again, one request
// after the other. Option: n= (default 0: for ever). Prints `reads` when it begins, PASS with how many, or FAIL.
#include "lib/boot_info.h"
#include "lib/clock_x86.h"
#include "lib/guest.h"
#include "lib/virtio_pci.h"

using namespace guest;

namespace {

constexpr Text kName = "disk_reads";
constexpr unsigned kSlots = 32, kRequests = 0;
constexpr std::uint64_t kPatience = 60000000;
constexpr unsigned kSector = 512;

// 5.2.6
struct Header {
    std::uint32_t type, reserved;
    std::uint64_t sector;
};

constinit QueueMemory memory = {};
constinit VirtioQueue queue;
constinit VirtioPci device;
alignas(64) constinit Header header = {};
alignas(64) constinit unsigned char sector[kSector] = {};
constinit unsigned char status = 0;

std::uint64_t address_of(const void* object) {
    return reinterpret_cast<std::uint64_t>(object);
}

bool find() {
    for (unsigned slot = 0; slot < kSlots; ++slot)
        if (device.open(slot) && device.type() == kVirtioBlock) return true;
    return false;
}

void start() {
    if (!find()) fail(kName, "no disk");
    if (!device.reset() || !device.negotiate(kFeatureVersion1)) fail(kName, "it can't be negotiated with");
    queue.begin(memory, QueueMemory::kMost, false);
    device.set_queue(kRequests, queue.place());
    device.set_status(kVirtioAcknowledge | kVirtioDriver | kVirtioFeaturesOk | kVirtioDriverOk);
}

void read() {
    const Buffer chain[] = {{address_of(&header), sizeof header},
                            {address_of(sector), kSector, kDescWrite},
                            {address_of(&status), 1, kDescWrite}};
    queue.offer(chain, 3);
    device.notify(kRequests);
    Used used;
    if (!queue.wait(used, kPatience)) fail(kName, "a read is never answered");
    if (read_physical<std::uint8_t>(address_of(&status)) != 0) fail(kName, "a read failed");
}

}  // namespace

extern "C" void guest_main() {
    clock_init();
    start();
    print("reads\n");
    const std::uint64_t count = option_number("n", 0);
    std::uint64_t done = 0;
    while (count == 0 || done < count) {
        read();
        ++done;
    }
    pass(kName, done, " reads");
}
