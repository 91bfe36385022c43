// A balloon and its driver over one memory, without a transport.
#pragma once

#include "devices/virtio/balloon/balloon.h"
#include "tests/catch.h"
#include "tests/virtio/device_rig.h"

namespace carrel::virtio::test {

inline constexpr uint64_t kAllOfIt = kBalloonStatsVq | kBalloonDeflateOnOom | kBalloonFreePageHint |
                                     kBalloonPagePoison | kBalloonPageReporting;
enum BalloonQueue : uint16_t { kInflate, kDeflate, kStatistics, kHints, kReports };

struct BalloonSide {
    explicit BalloonSide(uint64_t features = kAllOfIt, uint32_t pages = 0,
                         std::unique_ptr<GuestMemory> ram = make_memory())
        : side(std::move(ram)), balloon(pages) {
        side.connect(balloon);
        REQUIRE(side.start(features) == nullptr);
    }
    // Sends numbers of pages, 32 bits each, and gets the chain back.
    void name(uint16_t queue, const std::vector<uint32_t>& pages) {
        side.memory->write_bytes(Gpa{kData}, std::as_bytes(std::span(pages)));
        send(queue, {{kData, static_cast<uint32_t>(pages.size() * 4)}});
    }
    void send(uint16_t queue, const Buffers& buffers) {
        side.drivers[queue]->add(buffers);
        side.kick(queue);
        REQUIRE(side.drivers[queue]->get_used());
    }
    void fill(uint64_t at, size_t length) {
        side.memory->write_bytes(Gpa{at}, std::vector<std::byte>(length, std::byte{0x5a}));
    }
    unsigned at(uint64_t address) const { return side.memory->read<uint8_t>(Gpa{address}).value(); }
    uint32_t config(uint64_t offset) {
        uint32_t value = 0;
        balloon.read_config(offset, std::as_writable_bytes(std::span(&value, 1)));
        return value;
    }
    void set_config(uint64_t offset, uint32_t value) {
        balloon.write_config(offset, std::as_bytes(std::span(&value, 1)));
    }

    DeviceSide side;
    Balloon balloon;
};

}  // namespace carrel::virtio::test
