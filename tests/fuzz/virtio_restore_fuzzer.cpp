// Any bytes as the saved state of a virtio-pci function, with a virtio-rng or a disk behind it. Refused: it
// is as after a reset. Taken: it can be saved and restored again, and reset.
#include "devices/virtio/entropy.h"
#include "devices/virtio/pci_transport.h"
#include "tests/fuzz/script.h"
#include "tests/virtio/block_rig.h"
#include "tests/virtio/pci_rig.h"

using namespace carrel;
using namespace carrel::virtio;
using namespace carrel::virtio::test;
using carrel::test::require;

namespace {

void run(Surroundings& around, VirtioDevice& device, std::span<const std::byte> bytes) {
    PciSide side(around, device);
    const auto fresh = side.saved();
    const bool taken = side.restores(bytes);
    pump(*around.loop, 2);
    require(device.quiesce(5 * kSecond));
    const auto again = side.saved();
    if (!taken) require(again == fresh && !side.irq.level && !side.bars.at && side.doorbells.bound.empty());
    require(side.restores(again));
    require(device.quiesce(5 * kSecond));
    require(side.saved().size() == again.size());
    side.decode();
    side.set_status(0);
    require(side.status() == 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size == 0) return 0;
    const auto bytes = std::as_bytes(std::span(data, size)).subspan(1);
    static Surroundings around;
    if (data[0] % 2 == 0 || !uring_here()) {
        Entropy entropy;
        run(around, entropy, bytes);
        return 0;
    }
    static const DiskImage image = make_image(8);
    static const auto throttle = no_limit(*around.loop);
    static const auto disk = Block::create(*around.loop, image, "disk", *throttle, nullptr).value();
    run(around, *disk, bytes);
    return 0;
}
