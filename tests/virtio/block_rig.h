// A disk and its driver over one memory, without a transport: the image is a real file, the requests are the
// kernel's.
#pragma once

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "devices/backends/disk_ring.h"
#include "devices/virtio/block/block.h"
#include "tests/virtio/driver.h"
#include "tests/virtio/loop_pump.h"

namespace carrel::virtio::test {

// False, and said why, where the kernel has no io_uring for us.
inline bool uring_here() {
    static const bool here = [] {
        Fd file(::memfd_create("probe", MFD_CLOEXEC));
        const int number = file.get();
        const auto ring = DiskRing::create({&number, 1}, 1);
        if (!ring.ok()) std::cout << "SKIP: disks need io_uring: " << ring.error().sentence() << "\n";
        return ring.ok();
    }();
    return here;
}

// `sectors` of 512 bytes, each filled with its own number.
inline DiskImage make_image(uint64_t sectors, bool read_only = false) {
    DiskImage image;
    image.fd = Fd(::memfd_create("disk", MFD_CLOEXEC));
    image.bytes = sectors * kSectorSize;
    image.read_only = read_only;
    for (uint64_t i = 0; i < sectors; ++i) {
        const std::vector<char> sector(kSectorSize, static_cast<char>(i + 1));
        if (::pwrite(image.fd.get(), sector.data(), sector.size(), static_cast<off_t>(i * kSectorSize)) < 0)
            std::abort();
    }
    return image;
}

inline std::unique_ptr<Throttle> no_limit(EventLoop& loop) {
    return Throttle::create(loop, {}).value();
}

class BlockSide final : private DeviceEvents {
  public:
    static constexpr uint64_t kHeaderAt = kData, kStatusAt = kData + 0x100, kBufferAt = kData + 0x1000;

    explicit BlockSide(DiskImage disk, std::string id = "disk", uint16_t size = 128, bool packed = false)
        : image(std::move(disk)),
          rings{.packed = packed, .event_idx = false, .indirect = true},
          block(Block::create(*loop, image, std::move(id), *throttle, &log).value()),
          event_(block->event_fd()),
          driver(make_driver(*memory, size, rings)) {
        block->connect(*memory, *this);
        const auto on_event = [this](uint32_t) {
            uint64_t count = 0;
            (void)!::read(event_, &count, sizeof count);
            block->wake();
        };
        if (!loop->watch(event_, EPOLLIN, on_event).ok()) std::abort();
        start();
    }
    ~BlockSide() override {
        loop->unwatch(event_);
        block.reset();
    }

    const char* start(uint64_t features = kVersion1 | kIndirectDesc | kBlockFlush) {
        const QueueState state = driver->state();
        return block->activate({features | (rings.packed ? kRingPacked : 0), {&state, 1}});
    }
    // Rings as after a boot of the guest.
    void forget_rings() {
        const std::vector<std::byte> zeros(0x10000);
        for (const uint64_t area : {kDescriptors, kDriverArea, kDeviceArea})
            memory->write_bytes(Gpa{area}, zeros);
        driver = make_driver(*memory, 128, rings);
    }
    void kick() {
        driver->publish();
        block->notify(0);
        run_again();
    }
    // What the device asked for with again().
    void run_again() {
        while (again_ > 0) {
            --again_;
            block->notify(0);
        }
    }
    bool wait_for(uint64_t interrupts_at_least) {
        return carrel::test::pump_until(*loop, [&] {
            run_again();
            return interrupts >= interrupts_at_least;
        });
    }
    void header(uint32_t type, uint64_t sector, uint64_t at = kHeaderAt) {
        memory->write(Gpa{at}, BlockHeader{type, 0, sector});
    }
    // Sends what was added, waits for one chain: its length, and the status at kStatusAt.
    std::optional<Used> send() {
        std::optional<Used> used;
        kick();
        carrel::test::pump_until(*loop, [&] {
            run_again();
            return (used = driver->get_used()).has_value();
        });
        return used;
    }
    unsigned status(uint64_t at = kStatusAt) const { return driver->peek<uint8_t>(at); }
    // Header, `length` bytes at kBufferAt, status, a descriptor each; the status that came.
    unsigned request(uint32_t type, uint64_t sector, uint32_t length) {
        header(type, sector);
        driver->poke<uint8_t>(kStatusAt, 0xff);
        Buffers buffers{{kHeaderAt, 16}};
        if (length != 0) buffers.push_back({kBufferAt, length, type == kBlockIn || type == kBlockGetId});
        buffers.push_back({kStatusAt, 1, true});
        driver->add(buffers);
        last = send();
        return status();
    }
    std::vector<uint8_t> bytes(uint64_t at, size_t length) const {
        std::vector<uint8_t> out(length);
        memory->read_bytes(Gpa{at}, std::as_writable_bytes(std::span(out)));
        return out;
    }
    void fill(uint64_t at, size_t length, uint8_t value) {
        memory->write_bytes(Gpa{at}, std::vector<std::byte>(length, std::byte{value}));
    }
    std::vector<uint8_t> on_disk(uint64_t sector, size_t length = kSectorSize) const {
        std::vector<uint8_t> out(length);
        const ssize_t got =
            ::pread(image.fd.get(), out.data(), length, static_cast<off_t>(sector * kSectorSize));
        out.resize(got < 0 ? 0 : static_cast<size_t>(got));
        return out;
    }

    SystemClock clock;
    Log log{STDOUT_FILENO, LogLevel::kError};
    std::unique_ptr<EventLoop> loop = EventLoop::create(clock).value();
    std::unique_ptr<Throttle> throttle = no_limit(*loop);
    std::unique_ptr<GuestMemory> memory = make_memory();
    DiskImage image;
    const QueueFeatures rings;
    std::unique_ptr<Block> block;
    const int event_;
    std::unique_ptr<Driver> driver;
    std::optional<Used> last;
    uint64_t interrupts = 0;
    uint64_t agains = 0;
    uint64_t config_changes = 0;
    bool broken = false;

  private:
    void used(uint16_t) override { ++interrupts; }
    void config_changed() override { ++config_changes; }
    void needs_reset() override { broken = true; }
    void again(uint16_t) override {
        ++again_;
        ++agains;
    }
    uint64_t again_ = 0;
};

}  // namespace carrel::virtio::test
