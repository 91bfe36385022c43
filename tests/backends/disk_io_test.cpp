// What the kernel and what threads do with a file: the same.
#include "devices/backends/disk_io.h"

#include <poll.h>

#include <array>
#include <atomic>
#include <vector>

#include "devices/backends/disk_ring.h"
#include "devices/backends/disk_threads.h"
#include "tests/backends/disk_rig.h"
#include "tests/catch.h"
#include "vmm/base/clock.h"

using namespace carrel;
using namespace carrel::test;

namespace {

using Kind = DiskOperation::Kind;

// Null where the kernel has no io_uring for us (tests/virtio says that it was skipped).
std::unique_ptr<DiskIo> make_io(bool threads, int file, unsigned entries = 8) {
    if (threads) return DiskThreads::create({&file, 1}, entries).value();
    auto ring = DiskRing::create({&file, 1}, entries);
    return ring.ok() ? std::move(*ring) : nullptr;
}
bool wait_for(DiskIo& io, int milliseconds = 10000) {
    pollfd event{.fd = io.event_fd(), .events = POLLIN, .revents = 0};
    if (::poll(&event, 1, milliseconds) != 1) return false;
    uint64_t count = 0;
    return ::read(io.event_fd(), &count, sizeof count) == sizeof count;
}
DiskOperation operation(Kind kind, std::span<const iovec> pieces, uint64_t offset, uint64_t tag) {
    DiskOperation o;
    o.kind = kind;
    o.pieces = pieces;
    o.offset = offset;
    o.tag = tag;
    for (const iovec& piece : pieces) o.bytes += piece.iov_len;
    return o;
}

}  // namespace

TEST_CASE("disk io: threads charge their CPU time to whom the disk is for") {
    class Account final : public ChargeSink {
      public:
        void charge(Nanoseconds cpu) override { charged.fetch_add(cpu); }
        Nanoseconds held_until() override { return 0; }
        std::atomic<Nanoseconds> charged{0};
    };
    const Folder folder("/tmp");
    const auto image = open_image(folder.file("disk", 1 << 20));
    REQUIRE(image.ok());
    const int file = image.value().fd.get();
    const auto account = std::make_shared<Account>();
    const auto io = DiskThreads::create({&file, 1}, 8, account).value();
    std::vector<std::byte> bytes(1 << 20);
    const iovec from{bytes.data(), bytes.size()};
    Nanoseconds before = 0;
    for (int i = 0; i < 3; ++i) {
        io->start(operation(Kind::kWrite, {&from, 1}, 0, 1));
        REQUIRE(io->submit());
        REQUIRE(wait_for(*io));
        CHECK(io->reap().has_value());
        CHECK(account->charged > before);  // it is charged before it is known to have ended
        before = account->charged;
    }
}

TEST_CASE("disk io: it waits for the disk, on every file system that is here") {
    const char* const where = GENERATE("/tmp", "/dev/shm", "/var/tmp");
    const bool threads = GENERATE(false, true);
    if (::access(where, W_OK) != 0) return;
    const Folder folder(where);
    const auto image = open_image(folder.file("disk", 1 << 20));
    REQUIRE(image.ok());
    CHECK((::fcntl(image.value().fd.get(), F_GETFL) & O_NONBLOCK) == 0);
    const auto io = make_io(threads, image.value().fd.get());
    if (!io) return;
    std::array<std::byte, 4096> bytes{};
    bytes.fill(std::byte{0x5a});
    std::array<std::byte, 4096> back{};
    const iovec from{bytes.data(), bytes.size()};
    const iovec to{back.data(), back.size()};
    std::array<int32_t, 5> results{-1, -1, -1, -1, -1};
    const auto run = [&](const DiskOperation& o) {
        io->start(o);
        REQUIRE(io->submit());
        while (io->under_way() > 0 && wait_for(*io))
            while (const auto ended = io->reap()) results.at(ended->tag) = ended->result;
    };
    DiskOperation durable = operation(Kind::kWrite, {&from, 1}, 8192, 1);
    durable.durable = true;
    run(durable);
    run(operation(Kind::kSync, {}, 0, 2));
    run(operation(Kind::kRead, {&to, 1}, 8192, 3));
    CHECK(results == std::array<int32_t, 5>{-1, 4096, 0, 4096, -1});
    CHECK(back == bytes);
    DiskOperation punch;
    punch.kind = Kind::kPunch;
    punch.offset = 8192;
    punch.bytes = 512;
    punch.tag = 4;
    run(punch);
    CHECK(image.value().punches == (results[4] == 0));
    run(operation(Kind::kRead, {&to, 1}, 8192, 3));
    CHECK((back[511] == std::byte{0}) == (results[4] == 0));
    CHECK(back[512] == std::byte{0x5a});
}

TEST_CASE("disk io: a large operation doesn't keep who submits it") {
    const Folder folder;
    const auto image = open_image(folder.file("disk", 8 << 20));
    REQUIRE(image.ok());
    const auto io = make_io(GENERATE(false, true), image.value().fd.get());
    if (!io) return;
    const size_t size = size_t{8} << 20;
    std::vector<std::byte> from(size, std::byte{0x5a});
    std::vector<std::byte> to(size);
    // In two pieces, which stay our own only until submit() returns.
    for (const bool write : {true, false}) {
        std::byte* const data = write ? from.data() : to.data();
        {
            const std::array<iovec, 2> pieces{iovec{data, 5000}, iovec{data + 5000, size - 5000}};
            io->start(operation(write ? Kind::kWrite : Kind::kRead, pieces, 0, 7));
            io->submit();
        }
        REQUIRE(wait_for(*io));
        CHECK(io->reap().value().result == 8 << 20);
    }
    CHECK((from == to));
}

TEST_CASE("disk io: as many operations as it has room for, and what it isn't allowed is refused") {
    const Folder folder;
    const auto image = open_image(folder.file("disk", 1 << 20), true);
    REQUIRE(image.ok());
    const auto io = make_io(GENERATE(false, true), image.value().fd.get());
    if (!io) return;
    std::array<std::byte, 512> bytes{};
    const iovec piece{bytes.data(), bytes.size()};
    for (int round = 0; round < 100; ++round) {
        uint64_t n = 0;
        for (; io->room(); ++n) io->start(operation(Kind::kRead, {&piece, 1}, 0, n));
        CHECK(n >= 8);
        io->submit();
        uint64_t ended = 0;
        while (io->under_way() > 0 && wait_for(*io))
            while (const auto one = io->reap()) ended += one->result == 512;
        REQUIRE(ended == n);
    }
    io->start(operation(Kind::kWrite, {&piece, 1}, 0, 0));  // the descriptor is for reading
    io->submit();
    // An event may come late, of what has been reaped with another's: more waits than ends are no fault.
    std::optional<DiskIo::Ended> ended = io->reap();
    while (!ended && wait_for(*io)) ended = io->reap();
    REQUIRE(ended);
    CHECK(ended->result < 0);
    wait_for(*io, 10);
    CHECK_FALSE(io->reap());
    CHECK(io->under_way() == 0);
}
