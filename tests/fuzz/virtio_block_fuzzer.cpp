// A hostile driver's requests to a disk: chains of any shape with any headers, at a writable and at a
// read-only disk. Every chain comes back, the file doesn't grow, and a read-only one isn't written.
#include <sys/stat.h>

#include "tests/fuzz/script.h"
#include "tests/virtio/block_rig.h"

using namespace carrel;
using namespace carrel::virtio;
using namespace carrel::virtio::test;
using carrel::test::require;
using carrel::test::Script;

namespace {

constexpr uint64_t kSectors = 8;
constexpr std::array<uint32_t, 8> kTypes = {kBlockIn, kBlockOut, kBlockFlushRequest, kBlockGetId,
                                            3,        11,        0xffff'ffff,        kBlockIn};
constexpr std::array<uint64_t, 8> kPlaces = {
    0, 1, 7, 8, ~uint64_t{0}, uint64_t{1} << 55, (uint64_t{1} << 55) - 1, 3};
constexpr std::array<uint32_t, 8> kLengths = {0, 1, 16, 511, 512, 513, 4096, 17};
// The last are not RAM, or end at its top.
constexpr std::array<uint64_t, 6> kBuffers = {kData,          kData + 0x1000, kData + 0x2000,
                                              kHighEnd - 512, kLowEnd - 16,   0xffff'ffff'ffff'fff0};
constexpr size_t kMostDescriptors = 100;  // of the 128 that the ring has

// A chain, and how many descriptors it took.
size_t add_chain(BlockSide& side, Script& script, uint32_t chain) {
    const uint64_t header = kData + 0x10000 + chain * 32;
    side.header(script.pick(kTypes), script.pick(kPlaces), header);
    Buffers buffers;
    const uint8_t shape = script.byte();
    uint32_t left = 16;  // of the header, cut as the script says
    while ((shape & 1) != 0 && left > 0 && buffers.size() < 8) {
        const uint32_t part = std::min<uint32_t>(left, (shape & 2) != 0 ? 16u : script.byte() % 17u);
        buffers.push_back({header + 16 - left, part});
        left -= part;
    }
    for (unsigned i = 0; i < (shape >> 2) % 8u; ++i) {
        const uint8_t how = script.byte();
        buffers.push_back({script.pick(kBuffers), kLengths[how % 8u], (how & 8) != 0});
    }
    if ((shape & 0x20) != 0 || buffers.empty()) buffers.push_back({kData + 0x20000 + chain, 1, true});
    if ((shape & 0x40) == 0) {
        side.driver->add(buffers);
        return buffers.size();
    }
    side.driver->add_indirect(buffers, kTables + chain * 0x200);
    return 1;
}

struct Disk {
    explicit Disk(bool read_only)
        : side(make_image(kSectors, read_only)), before(side.on_disk(0, kSectors * 512)) {}
    void run(Script script) {
        side.forget_rings();
        side.fill(kData, 0x21000, 0);
        require(side.start() == nullptr);
        size_t descriptors = 0;
        uint32_t chains = 0, back = 0;
        while (!script.done() && descriptors + 20 < kMostDescriptors) {
            descriptors += add_chain(side, script, chains++);
            if (script.byte() % 4 == 0) side.kick();
        }
        const bool reset = script.done() && chains % 8 == 7;  // with requests in flight
        side.kick();
        if (!reset) {
            require(carrel::test::pump_until(*side.loop, [&] {
                side.run_again();
                while (side.driver->get_used()) ++back;
                return back == chains;
            }));
        }
        require(!side.broken);
        side.block->reset();
        carrel::test::pump(*side.loop, 1);
        require(side.on_disk(0, 2 * kSectors * 512).size() == kSectors * 512);
        if (side.image.read_only) require(side.on_disk(0, kSectors * 512) == before);
    }
    BlockSide side;
    const std::vector<uint8_t> before;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size == 0 || !uring_here()) return 0;
    static Disk writable(false);
    static Disk read_only(true);
    (data[0] % 2 == 0 ? writable : read_only).run(Script(std::as_bytes(std::span(data, size)).subspan(1)));
    return 0;
}
