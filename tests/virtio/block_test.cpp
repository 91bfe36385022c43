// What a disk does with its driver's requests. VIRTIO 1.3, section 5.2.6.
#include "devices/virtio/block/block.h"

#include <random>

#include "tests/virtio/block_rig.h"
// After ours, whose CHECK is another.
#include "tests/catch.h"

using namespace carrel;
using namespace carrel::virtio;
using namespace carrel::virtio::test;

namespace {

using Bytes = std::vector<uint8_t>;
constexpr uint64_t kHeaderAt = BlockSide::kHeaderAt, kStatusAt = BlockSide::kStatusAt,
                   kBufferAt = BlockSide::kBufferAt;

// Cuts [at, at + lengths…) into descriptors, one for each length.
Buffers pieces(uint64_t at, const std::vector<uint32_t>& lengths, bool writable) {
    Buffers buffers;
    for (const uint32_t length : lengths) {
        buffers.push_back({at, length, writable});
        at += length;
    }
    return buffers;
}
Buffers operator+(Buffers a, const Buffers& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

}  // namespace

TEST_CASE("disk: reads, writes, flushes, and its id") {
    if (!uring_here()) return;
    BlockSide side(make_image(16), "a serial number of more than twenty");
    CHECK(side.request(kBlockIn, 3, 1024) == kBlockOk);
    CHECK(side.last->length == 1025);
    CHECK(side.bytes(kBufferAt, 512) == Bytes(512, 4));
    CHECK(side.bytes(kBufferAt + 512, 512) == Bytes(512, 5));
    side.fill(kBufferAt, 512, 0x77);
    CHECK(side.request(kBlockOut, 5, 512) == kBlockOk);
    CHECK(side.last->length == 1);
    CHECK(side.on_disk(5) == Bytes(512, 0x77));
    CHECK(side.on_disk(6) == Bytes(512, 7));
    CHECK(side.request(kBlockFlushRequest, 0, 0) == kBlockOk);
    CHECK(side.last->length == 1);
    CHECK(side.request(kBlockGetId, 0, 20) == kBlockOk);
    CHECK(side.last->length == 21);
    const Bytes id = side.bytes(kBufferAt, 20);
    CHECK(std::string(id.begin(), id.end()) == "a serial number of m");
}

TEST_CASE("disk: what it tells of itself, by any width; beyond the end zeros") {
    if (!uring_here()) return;
    BlockSide side(make_image(16, true));
    CHECK(side.block->features() ==
          (kBlockSegMax | kBlockBlkSize | kBlockTopology | kBlockFlush | kBlockConfigWce | kBlockReadOnly));
    std::array<std::byte, 8> data{};
    side.block->read_config(0, data);
    CHECK(data[0] == std::byte{16});
    for (const uint64_t offset : {uint64_t{17}, uint64_t{20}, uint64_t{59}, uint64_t{60}, uint64_t{0xfff}}) {
        data.fill(std::byte{0});
        side.block->read_config(offset, data);
        if (offset >= 60) CHECK(data == std::array<std::byte, 8>{});
    }
    side.block->write_config(0, data);
}

TEST_CASE("disk, 2.7.4.2: header, data and status may be cut into descriptors in any way") {
    if (!uring_here()) return;
    const std::vector<uint32_t> headers =
        GENERATE(std::vector<uint32_t>{16}, std::vector<uint32_t>{8, 8}, std::vector<uint32_t>{1, 14, 1},
                 std::vector<uint32_t>(16, 1), std::vector<uint32_t>{4, 0, 12});
    SECTION("read: the status by itself, or in one with data") {
        const std::vector<uint32_t> data =
            GENERATE(std::vector<uint32_t>{1025}, std::vector<uint32_t>{1024, 1},
                     std::vector<uint32_t>{1, 1023, 1}, std::vector<uint32_t>{512, 513},
                     std::vector<uint32_t>{511, 512, 2}, std::vector<uint32_t>{1024, 0, 1},
                     std::vector<uint32_t>{1024, 1, 0}, std::vector<uint32_t>{3, 5, 7, 9, 1001});
        BlockSide side(make_image(16));
        side.header(kBlockIn, 7);
        side.fill(kBufferAt, 1100, 0xee);
        side.driver->add(pieces(kHeaderAt, headers, false) + pieces(kBufferAt, data, true));
        const auto used = side.send();
        REQUIRE(used);
        CHECK(used->length == 1025);
        CHECK(side.bytes(kBufferAt, 512) == Bytes(512, 8));
        CHECK(side.bytes(kBufferAt + 512, 512) == Bytes(512, 9));
        CHECK(side.status(kBufferAt + 1024) == kBlockOk);
        CHECK(side.status(kBufferAt + 1025) == 0xee);
    }
    SECTION("write: the header by itself, or in one with data") {
        const bool shared = GENERATE(false, true);
        std::vector<uint32_t> lengths = headers;
        const std::vector<uint32_t> data =
            GENERATE(std::vector<uint32_t>{1024}, std::vector<uint32_t>{1, 1023},
                     std::vector<uint32_t>{511, 2, 0, 511});
        if (shared) {
            lengths.back() += data.front();
            lengths.insert(lengths.end(), data.begin() + 1, data.end());
        } else {
            lengths.insert(lengths.end(), data.begin(), data.end());
        }
        BlockSide side(make_image(16));
        side.header(kBlockOut, 7);
        side.fill(kHeaderAt + 16, 512, 0x31);
        side.fill(kHeaderAt + 528, 512, 0x32);
        side.driver->add(pieces(kHeaderAt, lengths, false) + Buffers{{kStatusAt + 0x1000, 1, true}});
        const auto used = side.send();
        REQUIRE(used);
        CHECK(used->length == 1);
        CHECK(side.status(kStatusAt + 0x1000) == kBlockOk);
        CHECK(side.on_disk(6) == Bytes(512, 7));
        CHECK(side.on_disk(7) == Bytes(512, 0x31));
        CHECK(side.on_disk(8) == Bytes(512, 0x32));
        CHECK(side.on_disk(9) == Bytes(512, 10));
    }
    SECTION("an id, its status in the same descriptor or not, or less room than it needs") {
        const std::vector<uint32_t> data = GENERATE(
            std::vector<uint32_t>{21}, std::vector<uint32_t>{7, 14}, std::vector<uint32_t>{3},
            std::vector<uint32_t>{1, 1, 1}, std::vector<uint32_t>{1}, std::vector<uint32_t>{100, 100});
        uint32_t room = 0;
        for (const uint32_t length : data) room += length;
        BlockSide side(make_image(16), "0123456789abcdefghij");
        side.header(kBlockGetId, 0);
        side.fill(kBufferAt, 300, 0xee);
        side.driver->add(pieces(kHeaderAt, headers, false) + pieces(kBufferAt, data, true));
        REQUIRE(side.send());
        CHECK(side.status(kBufferAt + room - 1) == kBlockOk);
        const uint32_t text = std::min(room - 1, 20u);
        const Bytes id = side.bytes(kBufferAt, text);
        CHECK(std::string(id.begin(), id.end()) == std::string("0123456789abcdefghij").substr(0, text));
        CHECK(side.status(kBufferAt + room) == 0xee);
    }
}

TEST_CASE("disk: the last sector can be had, nothing behind it, and no sum of sectors wraps") {
    if (!uring_here()) return;
    BlockSide side(make_image(16));
    const uint32_t type = GENERATE(uint32_t{kBlockIn}, uint32_t{kBlockOut});
    CHECK(side.request(type, 15, 512) == kBlockOk);
    CHECK(side.request(type, 0, 16 * 512) == kBlockOk);
    const struct {
        uint64_t sector;
        uint32_t length;
    } wrong[] = {{16, 512},
                 {15, 1024},
                 {0, 17 * 512},
                 {17, 512},
                 {~uint64_t{0}, 512},
                 {~uint64_t{0}, 1024},
                 {(uint64_t{1} << 55) - 1, 512},
                 {uint64_t{1} << 55, 512},
                 {uint64_t{1} << 63, 512},
                 {3, 0},
                 {3, 1},
                 {3, 511},
                 {3, 513}};
    for (const auto& w : wrong) {
        INFO(w.sector << ", " << w.length);
        CHECK(side.request(type, w.sector, w.length) == kBlockIoError);
    }
    CHECK(side.on_disk(0, 17 * 512).size() == 16 * 512);  // it hasn't grown
    CHECK(side.request(type, 3, 512) == kBlockOk);
    CHECK_FALSE(side.broken);
}

TEST_CASE("disk: a read-only one isn't written, whatever its driver sends") {
    if (!uring_here()) return;
    BlockSide side(make_image(16, true));  // (the descriptor would allow it)
    CHECK(side.request(kBlockOut, 3, 512) == kBlockIoError);
    CHECK(side.on_disk(3) == Bytes(512, 4));
    CHECK(side.request(kBlockIn, 3, 512) == kBlockOk);
    CHECK(side.request(kBlockFlushRequest, 0, 0) == kBlockOk);
    // Types that change a disk and that we haven't got.
    for (const uint32_t type : {11u, 13u, 14u}) CHECK(side.request(type, 0, 512) == kBlockUnsupported);
    CHECK(side.on_disk(0) == Bytes(512, 1));
}

TEST_CASE("disk: types that don't exist are unsupported") {
    if (!uring_here()) return;
    BlockSide side(make_image(16));
    for (const uint32_t type : {2u, 3u, 5u, 9u, 0x8000'0000u, 0xffff'ffffu, 0x100u})
        CHECK(side.request(type, 0, 512) == kBlockUnsupported);
}

TEST_CASE("disk: no room for a header or a status: the chain goes back, empty, and the disk goes on") {
    if (!uring_here()) return;
    BlockSide side(make_image(16));
    side.header(kBlockIn, 0);
    const Buffers wrong[] = {{{kHeaderAt, 16}},
                             {{kHeaderAt, 15}, {kBufferAt, 513, true}},
                             {{kBufferAt, 513, true}},
                             {{kHeaderAt, 0}},
                             {{kHeaderAt, 16}, {kBufferAt, 0, true}},
                             {{kHeaderAt, 16}, {kLowEnd - 1, 2, true}}};
    for (const Buffers& buffers : wrong) {
        side.driver->add(buffers);
        const auto used = side.send();
        REQUIRE(used);
        CHECK(used->length == 0);
    }
    CHECK(side.request(kBlockIn, 0, 512) == kBlockOk);
}

TEST_CASE("disk: a file that was cut short under us gives errors, not less") {
    if (!uring_here()) return;
    BlockSide side(make_image(16));
    REQUIRE(::ftruncate(side.image.fd.get(), 8 * 512 + 100) == 0);
    CHECK(side.request(kBlockIn, 7, 512) == kBlockOk);
    CHECK(side.request(kBlockIn, 12, 512) == kBlockIoError);
    CHECK(side.request(kBlockIn, 8, 512) == kBlockIoError);
    CHECK(side.last->length >= 1);
    CHECK(side.request(kBlockIn, 7, 1024) == kBlockIoError);
    CHECK(side.request(kBlockFlushRequest, 0, 0) == kBlockOk);
}

TEST_CASE("disk: a file that can't be written gives an error") {
    if (!uring_here()) return;
    DiskImage image = make_image(16);
    const std::string path = "/proc/self/fd/" + std::to_string(image.fd.get());
    image.fd = Fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    BlockSide side(std::move(image));
    CHECK(side.request(kBlockOut, 0, 512) == kBlockIoError);
    CHECK(side.request(kBlockIn, 0, 512) == kBlockOk);
}

TEST_CASE("disk, 5.2.5.1: without VIRTIO_BLK_F_FLUSH writes work, too") {
    if (!uring_here()) return;
    BlockSide side(make_image(16));
    side.block->reset();
    side.forget_rings();
    REQUIRE(side.start(kVersion1 | kIndirectDesc) == nullptr);
    side.fill(kBufferAt, 512, 0x55);
    CHECK(side.request(kBlockOut, 2, 512) == kBlockOk);
    CHECK(side.on_disk(2) == Bytes(512, 0x55));
}

TEST_CASE("disk: thousands of requests at random, many at a time, end as if one by one") {
    if (!uring_here()) return;
    constexpr uint64_t kSectors = 64;
    BlockSide side(make_image(kSectors));
    std::minstd_rand random(7);
    std::vector<uint8_t> content(kSectors);
    for (size_t i = 0; i < kSectors; ++i) content[i] = static_cast<uint8_t>(i + 1);
    struct Out {
        uint64_t sector;
        bool write;
        uint8_t value;
        size_t place;
    };
    std::map<uint32_t, Out> out;
    std::vector<size_t> places;
    for (size_t i = 0; i < 32; ++i) places.push_back(i);
    const auto at = [](size_t place) { return kBufferAt + place * 0x1000; };
    for (unsigned done = 0; done < 5000;) {
        std::vector<bool> taken(kSectors);  // one request for a sector at a time: the order is the kernel's
        for (const auto& [id, o] : out) taken[o.sector] = true;
        while (!places.empty() && random() % 5 != 0) {
            Out o{random() % kSectors, random() % 2 == 0, static_cast<uint8_t>(random()), places.back()};
            if (taken[o.sector]) continue;
            taken[o.sector] = true;
            places.pop_back();
            const uint64_t where = at(o.place);
            side.header(o.write ? kBlockOut : kBlockIn, o.sector, where);
            side.driver->poke<uint8_t>(where + 16, 0xff);
            side.fill(where + 0x200, 512, o.write ? o.value : 0xee);
            const Buffers buffers{{where, 16}, {where + 0x200, 512, !o.write}, {where + 16, 1, true}};
            out[side.driver->add_indirect(buffers, kTables + o.place * 64)] = o;
        }
        side.kick();
        if (!out.empty()) REQUIRE(side.wait_for(1));
        side.interrupts = 0;
        carrel::test::pump(*side.loop, 1);
        while (const auto used = side.driver->get_used()) {
            const Out o = out.at(used->id);
            out.erase(used->id);
            places.push_back(o.place);
            REQUIRE(side.status(at(o.place) + 16) == kBlockOk);
            if (o.write) content[o.sector] = o.value;
            REQUIRE(side.bytes(at(o.place) + 0x200, 512) == Bytes(512, content[o.sector]));
            ++done;
        }
    }
    CHECK_FALSE(side.broken);
}
