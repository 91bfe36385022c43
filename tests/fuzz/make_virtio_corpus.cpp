// usage: make_virtio_corpus FOLDER: writes pci/*, msix/*, virtio_pci/*, virtio_mmio/*, virtio_balloon/*,
// virtio_block/*, virtio_console/*, virtio_restore/* and virtio_vsock/*, the seed corpora of the fuzz
// targets.
#include <filesystem>
#include <fstream>
#include <iostream>

#include "devices/virtio/entropy.h"
#include "devices/virtio/pci_transport.h"
#include "tests/virtio/block_rig.h"
#include "tests/virtio/pci_rig.h"

using namespace carrel;
using namespace carrel::virtio;
using namespace carrel::virtio::test;

namespace {

using Bytes = std::vector<uint8_t>;

void write(const std::filesystem::path& path, const Bytes& bytes) {
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

// As virtio_restore_fuzzer.cpp reads them: which device, then its state.
Bytes state_of(uint8_t choice, VirtioDevice& device, bool running) {
    Surroundings around;
    const auto driver =
        make_driver(*around.memory, 64, {.packed = false, .event_idx = true, .indirect = true});
    PciSide side(around, device);
    side.negotiate(kVersion1 | kRingFeatures);
    side.set_queue(0, driver->state(), 1);
    side.set_vector(1, 0x41);
    side.set_message_control(pci::Msix::kEnable);
    if (running) side.go();
    device.quiesce(kSecond);
    Bytes bytes{choice};
    for (const std::byte b : side.saved()) bytes.push_back(std::to_integer<uint8_t>(b));
    return bytes;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) return std::cerr << "usage: make_virtio_corpus FOLDER\n", 1;
    const std::filesystem::path folder = argv[1];
    Entropy entropy;
    write(folder / "virtio_restore/rng-running", state_of(0, entropy, true));
    write(folder / "virtio_restore/rng-waiting", state_of(0, entropy, false));
    if (uring_here()) {
        const SystemClock clock;
        const DiskImage image = make_image(8);
        const auto loop = EventLoop::create(clock).value();
        const auto throttle = no_limit(*loop);
        const auto disk = Block::create(*loop, image, "disk", *throttle, nullptr).value();
        write(folder / "virtio_restore/disk-running", state_of(1, *disk, true));
    }
    // Commands of pci_fuzzer.cpp. BARs over each other, ECAM, RAM and the end; a register by the ports and by
    // ECAM.
    write(folder / "pci/bars",
          {4, 0, 0, 2, 4, 0, 1, 2, 4, 1, 1, 2, 4, 2, 0, 2, 4, 4, 0, 2, 4, 3, 0, 7, 5, 3, 0, 0});
    write(folder / "pci/ports",
          {0x21, 0, 0x10, 0x10, 0, 0x80, 0x20, 4, 0x21, 4, 0xff, 0xff, 0xff, 0xff, 0x20, 4, 0x11, 6, 1, 2});
    write(folder / "pci/ecam", {0x23, 0, 4, 0, 6, 0, 0, 0, 0x22, 4, 0, 1, 0, 0x32, 0xfc, 0xff, 0xff, 0x0f});
    // Commands of msix_fuzzer.cpp: a vector's message and mask, switched on, its queue's, signalled, masked,
    // unmasked, refused, moved to another function.
    write(folder / "msix/one", {0x30, 0, 0, 0, 0xe0, 0xfe, 0, 0, 0, 0, 0x30, 8, 0x41, 0, 0, 0, 0, 0, 0,
                                0,    2, 1, 5, 0,    4,    2, 3, 4, 2, 1,    6, 1,    4, 6, 1, 7, 4});
    write(folder / "msix/changes", {2, 1, 5, 1, 0x20, 28,   0,  0, 0, 0, 4, 0x20, 24, 7, 0,
                                    0, 0, 4, 6, 1,    0x20, 24, 8, 0, 0, 0, 4,    6,  1, 0x87});
    // Commands of virtio_pci_fuzzer.cpp. Started, a request (descriptor 0: 32 bytes at kData, writable), rung
    // for, and moved to another instance.
    const Bytes request{10, 1, 1, 6, 0, 4, 0, 32, 0, 2, 0, 8, 0, 11, 8, 0};
    write(folder / "virtio_pci/request", request);
    // A table of two, one of them not RAM.
    write(folder / "virtio_pci/table", {10, 1, 0,    6, 0, 4, 0, 16, 0,  0xc1, 1, 6, 1, 7, 0,
                                        16, 0, 0xc2, 0, 6, 2, 3, 0,  32, 0,    4, 0, 8, 0, 9});
    // The queue set by hand: select, size, areas, enable, DRIVER_OK; the function reset; the BAR moved.
    write(folder / "virtio_pci/by-hand",
          {15, 4,    0x14, 3,    0x24, 0x08, 1,    0,    0,    0, 0x24, 0x0c, 1, 0,    0,    0,
           4,  0x14, 0x0b, 0x14, 0x18, 8,    0,    0x24, 0x20, 0, 0,    1,    0, 0x14, 0x1c, 1,
           0,  4,    0x14, 0x0f, 11,   0x21, 0x10, 0,    0,    1, 0xd0, 8,    0, 12});
    write(folder / "virtio_pci/msix",
          {10, 1, 1, 0x31, 0x98, 0, 0, 0, 0xc0, 0x23, 8, 0, 0, 0, 0, 14, 11, 13, 1, 4, 0, 15});
    // Commands of virtio_mmio_fuzzer.cpp: as the first above; the queue reset and enabled again; packed
    // rings.
    write(folder / "virtio_mmio/request", {10, 0, 6, 0, 4, 0, 32, 0, 2, 0, 8, 0, 11, 8, 0});
    write(folder / "virtio_mmio/ring-reset",
          {10, 2, 6, 0, 4, 0, 32, 0, 2, 0, 8, 0, 2, 17, 1, 2, 5, 1, 11, 8, 0});
    write(folder / "virtio_mmio/packed", {26, 2, 8, 0, 11, 2, 17, 1, 11, 9});
    // Requests of virtio_block_fuzzer.cpp: which disk; type, place, shape, its cuts and buffers, when to
    // ring.
    write(folder / "virtio_block/read", {0, 0, 1, 0x27, 12, 1, 0});
    write(folder / "virtio_block/write", {0, 1, 1, 0x27, 4, 1, 1, 1, 3, 0x67, 4, 2, 0});
    write(folder / "virtio_block/read-only",
          {1, 1, 1, 0x27, 4, 1, 1, 0, 0, 0x25, 3, 3, 3, 3, 3, 3, 12, 1, 0});
    write(folder / "virtio_block/others",
          {0, 2, 0, 0x23, 0, 3, 0, 0x27, 15, 1, 0, 5, 0, 0x23, 1, 4, 0, 0x0b, 10, 1, 13, 4, 0});
    // Steps of virtio_net_fuzzer.cpp: which features; buffers and a frame in; one out, and a command.
    write(folder / "virtio_net/in", {0, 0, 0, 0x88, 1, 0, 0, 0x88, 1, 5, 8, 0, 0, 3, 0, 10, 15});
    write(folder / "virtio_net/out", {0, 0x10, 1, 4, 0, 7, 1, 0x15, 12, 0x15, 15});
    write(folder / "virtio_net/command",
          {0, 11, 1, 0, 0, 0, 11, 12, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 1});
    write(folder / "virtio_net/pairs",
          {7, 11, 2, 4, 0, 2, 0, 0x20, 0, 0x88, 1, 0x25, 0x28, 0, 0, 3, 0, 10, 12, 15});
    // Steps of virtio_balloon_fuzzer.cpp: which features; pages inflated, cut in the middle of one; a report
    // and a hint; statistics asked for and moved; the rings themselves given away, and a reset.
    write(folder / "virtio_balloon/inflate", {0, 0, 3, 0, 1, 2, 7, 6, 14, 1, 2, 8, 9, 0, 14, 12});
    write(folder / "virtio_balloon/report", {0, 0x43, 1, 0, 2, 4, 2, 0x4e, 0x19, 0x33, 0, 2, 2, 0x3e});
    write(folder / "virtio_balloon/statistics", {0, 6, 10, 4, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0x2e, 8, 12, 0x2e});
    write(folder / "virtio_balloon/rings", {1, 0, 1, 5, 6, 0, 14, 0, 0, 0, 0, 14, 13, 0, 0, 0, 0, 14});
    // Steps of virtio_vsock_fuzzer.cpp: room, and a request, its answer, data both ways, the end; the same
    // from the host; a header that lies; a move in the middle.
    write(folder / "virtio_vsock/guest", {5, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 13, 13, 0, 0, 0, 0, 4, 5,
                                          0, 0, 0, 0, 8, 4, 0, 9, 0, 0, 0, 0,  0,  0, 4, 3, 0, 0, 0});
    write(folder / "virtio_vsock/host",
          {5, 7, 0, 1, 13, 0, 0, 0, 3, 0, 2, 0, 0, 0, 0, 8, 4, 0, 13, 11, 8, 4, 0, 10, 0, 1});
    write(folder / "virtio_vsock/lies",
          {5, 0, 3, 0, 0, 0, 1, 0, 0, 0, 0x60, 0xff, 0xff, 0xff, 0xff, 4, 1, 3, 4, 12, 5});
    // Commands of virtio_console_fuzzer.cpp. A page sent; input into two buffers; a giant chain reset midway.
    write(folder / "virtio_console/send", {1, 0, 4, 0, 3, 7, 6, 4, 33, 8});
    write(folder / "virtio_console/input", {0, 0, 10, 0, 0, 0x41, 12, 1, 12, 2, 2, 4, 5, 4, 5, 8, 5, 80, 24});
    write(folder / "virtio_console/reset", {1, 3, 7, 0, 7, 1, 7, 2, 7, 0, 3, 7, 9, 1, 0, 2, 0, 3});
}
