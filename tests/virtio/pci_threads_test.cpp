// vCPU threads and the device's own at one virtio function: nothing deadlocks, and under ThreadSanitizer
// nothing races.
#include <random>
#include <thread>

#include "devices/virtio/entropy.h"
#include "devices/virtio/pci_transport.h"
#include "devices/virtio/thread_runner.h"
#include "tests/virtio/block_rig.h"
#include "tests/virtio/pci_rig.h"
// After ours, whose CHECK is another.
#include "tests/catch.h"

using namespace carrel;
using namespace carrel::virtio;
using namespace carrel::virtio::test;

namespace {

// Registers, doorbells, vectors, status, configuration, resets, as they come.
void misuse(PciSide& side, Device& registers, unsigned seed) {
    using namespace carrel::test;
    std::minstd_rand random(seed);
    const uint32_t reset = side.capability(pci::kAdvancedFeatures) + 4;
    const uint32_t msix = side.capability(pci::kMsix) + 2;
    for (int i = 0; i < 3000; ++i) {
        const auto value = static_cast<uint32_t>(random());
        switch (random() % 12) {
            case 0: out16(registers, kDoorbellPart, 0); break;
            case 1: out8(registers, kDeviceStatus, value % 16); break;
            case 2: out8(registers, kDeviceStatus, 0); break;
            case 3: out32(registers, kMsixTablePart + value % 32 / 4 * 4, value); break;
            case 4: in32(registers, kMsixPendingPart); break;
            case 5: in8(registers, kIsrPart); break;
            case 6: side.set_config<uint16_t>(msix, static_cast<uint16_t>(value)); break;
            case 7: side.set_config<uint16_t>(pci::kCommand, static_cast<uint16_t>(value)); break;
            case 8: side.set_config<uint32_t>(pci::kBar0, value); break;
            case 9:
                if (i % 10 == 0) side.set_config<uint8_t>(reset, 1);
                break;
            case 10: in32(registers, kDeviceFeature); break;
            default:  // a driver that starts
                out8(registers, kDeviceStatus, 0);
                out32(registers, kDriverFeatureSelect, 1);
                out32(registers, kDriverFeature, 1);
                out8(registers, kDeviceStatus, kFeaturesOk);
                out32(registers, kQueueDesc, kDescriptors);
                out32(registers, kQueueDriver, kDriverArea);
                out32(registers, kQueueDevice, kDeviceArea);
                out16(registers, kQueueMsixVector, value % 2);
                out16(registers, kQueueEnable, 1);
                out8(registers, kDeviceStatus, kFeaturesOk | kDriverOk);
                for (int k = 0; k < 5; ++k) out16(registers, kDoorbellPart, 0);
        }
    }
}

void misuse_by_all(VirtioDevice& device, Surroundings& around, std::unique_ptr<DeviceRunner> runner) {
    // Chains that are there at each look: descriptor i is 512 bytes of data, or a header of zeros.
    for (uint16_t i = 0; i < 64; ++i) {
        const bool write = i % 2 != 0;
        const uint16_t flags = write ? uint16_t{kWrite} : uint16_t{kNext};
        around.memory->write(Gpa{kDescriptors + i * kDescriptorSize},
                             SplitDescriptor{kData + (write ? 0x1000u : 0u), write ? 513u : 16u, flags,
                                             static_cast<uint16_t>(i + 1)});
        around.memory->write(Gpa{kDriverArea + kRingEntries + i * 2u}, static_cast<uint16_t>(i & ~1));
    }
    around.memory->write(Gpa{kDriverArea + kRingIndex}, uint16_t{32});
    PciSide side(around, device, std::move(runner));
    side.decode();
    Device& registers = *side.bars.device;
    std::thread loop([&] { around.loop->run(); });
    std::vector<std::thread> vcpus;
    for (unsigned i = 1; i <= 3; ++i) vcpus.emplace_back([&, i] { misuse(side, registers, i); });
    for (std::thread& vcpu : vcpus) vcpu.join();
    around.loop->stop();
    loop.join();
    side.function().reset();
    CHECK(side.config<uint16_t>(pci::kCommand) == 0);
}

}  // namespace

TEST_CASE("virtio-pci: three vCPUs and the device's thread at once, with a virtio-rng") {
    Surroundings around;
    Entropy device;
    misuse_by_all(device, around, LoopRunner::create(*around.loop, device).value());
}

TEST_CASE("virtio-pci: three vCPUs and the device's thread at once, with a disk") {
    if (!uring_here()) return;
    Surroundings around;
    const DiskImage image = make_image(64);
    const auto throttle = no_limit(*around.loop);
    const auto disk = Block::create(*around.loop, image, "disk", *throttle, nullptr).value();
    misuse_by_all(*disk, around, LoopRunner::create(*around.loop, *disk).value());
}

TEST_CASE("virtio-pci: three vCPUs and the device's thread at once, with a disk on a thread of its own") {
    if (!uring_here()) return;
    Surroundings around;
    const DiskImage image = make_image(64);
    const auto throttle = no_limit(*around.loop);
    const auto disk = Block::create(*around.loop, image, "disk", *throttle, nullptr).value();
    misuse_by_all(*disk, around, ThreadRunner::start("disk-0", *disk).value());
}

TEST_CASE("virtio-pci: a disk on a thread of its own serves requests while nobody else runs") {
    if (!uring_here()) return;
    Surroundings around;
    const DiskImage image = make_image(64);
    const auto throttle = no_limit(*around.loop);
    const auto disk = Block::create(*around.loop, image, "disk", *throttle, nullptr).value();
    PciSide side(around, *disk, ThreadRunner::start("disk-0", *disk).value());
    REQUIRE(side.negotiate(kVersion1));
    const auto driver = make_driver(*around.memory, 16, {});
    side.set_queue(0, driver->state());
    side.set_status(kAcknowledge | kDriver | kFeaturesOk | kDriverOk);
    for (uint64_t sector = 0; sector < 8; ++sector) {
        around.memory->write(Gpa{kData}, BlockHeader{kBlockIn, 0, sector});
        driver->add({{kData, 16}, {kData + 0x1000, 512, true}, {kData + 0x100, 1, true}});
        driver->publish();
        side.notify(0);
        std::optional<Used> used;
        for (int ms = 0; ms < 5000 && !(used = driver->get_used()); ++ms) ::usleep(1000);
        REQUIRE(used);
        CHECK(used->length == 513);
        CHECK(driver->peek<uint8_t>(kData + 0x1000) == sector + 1);
    }
}
