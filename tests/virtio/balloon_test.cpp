#include "devices/virtio/balloon/balloon.h"

#include <sys/mman.h>

#include "tests/virtio/balloon_rig.h"

using namespace carrel;
using namespace carrel::virtio;
using namespace carrel::virtio::test;

TEST_CASE("a page that is named is the host's, its neighbours are not touched") {
    BalloonSide b;
    b.fill(0x300000, 0x8000);
    b.name(kInflate, {0x303, 0x302, 0x305});
    CHECK(b.at(0x301fff) == 0x5a);
    CHECK(b.at(0x302000) == 0);
    CHECK(b.at(0x303fff) == 0);
    CHECK(b.at(0x304000) == 0x5a);
    CHECK(b.at(0x305000) == 0);
    CHECK(b.at(0x306000) == 0x5a);
    CHECK(b.balloon.released_bytes() == 3 * kBalloonPageSize);
    CHECK(b.balloon.refused_pages() == 0);
    b.fill(0x302000, 1);  // used again, told or not
    b.name(kDeflate, {0x302, 0xffff'ffff});
    CHECK(b.at(0x302000) == 0x5a);
}

TEST_CASE(
    "pages in a hole, behind RAM and at the end of all numbers are counted, the good ones beside them "
    "taken") {
    BalloonSide b;
    b.fill(0x300000, 0x2000);
    const auto hole = static_cast<uint32_t>(kLowEnd >> 12), behind = static_cast<uint32_t>(kHighEnd >> 12);
    b.fill(kHighEnd - 0x1000, 0x1000);
    b.name(kInflate, {0x300, hole, behind, 0xffff'ffff, 0, behind - 1, 0xffff'fffe, 0x301});
    CHECK(b.balloon.refused_pages() == 4);
    CHECK(b.at(0x300000) == 0);
    CHECK(b.at(0x301000) == 0);
    CHECK(b.at(kHighEnd - 1) == 0);      // the very top is legal
    b.name(kInflate, {hole - 1, hole});  // one run that leaves RAM: as a whole it isn't
    CHECK(b.balloon.refused_pages() == 6);
    CHECK_FALSE(b.side.broken);
}

TEST_CASE("numbers cut in pieces, a rest of some bytes, and more than one chain may hold") {
    BalloonSide b;
    b.fill(0x300000, 0x1000);
    const uint32_t page = 0x300;
    b.side.memory->write(Gpa{kData}, page);
    b.send(kInflate, {{kData, 1}, {kData + 1, 2}, {kData + 3, 1}, {kData, 3}});
    CHECK(b.at(0x300000) == 0);
    CHECK(b.balloon.released_bytes() == kBalloonPageSize);
    b.send(kInflate, {{kLowEnd - 0x100000, 0x100000}});  // 262144 numbers, all 0
    CHECK(b.balloon.refused_pages() == 262144 - 1024);
    b.send(kInflate, {{kData, 16, true}});  // nothing to read
}

TEST_CASE("the target is told and read, the driver's figures are its own to write") {
    BalloonSide b(kAllOfIt, 7);
    CHECK(b.config(0) == 7);
    b.balloon.set_target(100);
    CHECK(b.side.config_changes == 1);
    CHECK(b.config(0) == 100);
    b.set_config(4, 99);
    b.set_config(0, 12345);
    b.set_config(8, 12345);
    b.set_config(14, 0xffff'ffff);  // over the end
    b.set_config(~uint64_t{0}, 1);
    CHECK(b.balloon.actual() == 99);
    CHECK(b.balloon.target() == 100);
    CHECK(b.config(8) == kHintStop);
    CHECK(b.config(12) == 0xffff'0000);
}

TEST_CASE(
    "reported pages are taken before their chain goes back, unless the guest counts on what is in them") {
    BalloonSide b;
    b.fill(0x300000, 0x4000);
    b.send(kReports, {{0x300800, 0x1800, true}, {0x303000, 0x1000, true}});
    CHECK(b.at(0x300fff) == 0x5a);  // a part of a page stays
    CHECK(b.at(0x301000) == 0);
    CHECK(b.at(0x303000) == 0);
    CHECK(b.balloon.released_bytes() == 0x2000);
    b.set_config(12, 0xaaaa'aaaa);
    b.fill(0x300000, 0x4000);
    b.send(kReports, {{0x300000, 0x4000, true}});
    CHECK(b.at(0x300000) == 0x5a);
}

TEST_CASE("reports of a driver that knows no hints come in the fourth queue") {
    BalloonSide b(kBalloonStatsVq | kBalloonPageReporting);
    b.fill(0x300000, 0x1000);
    b.send(kHints, {{0x300000, 0x1000, true}});
    CHECK(b.at(0x300000) == 0);
}

TEST_CASE("hints are counted for the command that runs, and no memory goes") {
    BalloonSide b;
    b.fill(0x300000, 0x1000);
    b.balloon.begin_hints();
    const uint32_t command = b.config(8);
    CHECK(command >= kFirstHint);
    const auto hint = [&](uint32_t number) {
        b.side.memory->write(Gpa{kData}, number);
        b.send(kHints, {{kData, 4}});
        b.send(kHints, {{0x300000, 0x1000, true}});
    };
    hint(command + 1);
    CHECK(b.balloon.hinted_bytes() == 0);
    hint(command);
    CHECK(b.balloon.hinted_bytes() == 0x1000);
    b.balloon.end_hints();
    CHECK(b.config(8) == kHintDone);
    hint(command);
    CHECK(b.balloon.hinted_bytes() == 0x1000);
    CHECK(b.at(0x300000) == 0x5a);
}

TEST_CASE("the statistics' buffer is kept until newer ones are wanted") {
    BalloonSide b;
    CHECK(b.balloon.statistics()[4] == ~uint64_t{0});
    const std::array<BalloonStatistic, 3> told{{{4, 1000}, {5, 2000}, {0xffff, 1}}};
    b.side.memory->write_bytes(Gpa{kData}, std::as_bytes(std::span(told)));
    Driver& driver = *b.side.drivers[kStatistics];
    driver.add({{kData, sizeof told}});
    b.side.kick(kStatistics);
    CHECK_FALSE(driver.get_used());
    CHECK(b.balloon.statistics()[4] == 1000);
    CHECK(b.balloon.statistics()[5] == 2000);
    b.balloon.ask_statistics();
    CHECK(driver.get_used() == Used{0, 0});
    b.balloon.ask_statistics();  // nothing to ask with
    // Two of them, which no driver may send: the first goes back.
    driver.add({{kData, sizeof told}});
    driver.add({{kData, 5}});
    b.side.kick(kStatistics);
    CHECK(driver.get_used());
    CHECK_FALSE(driver.get_used());
    b.balloon.reset();
    CHECK(b.balloon.statistics()[4] == 1000);
}

TEST_CASE("rule 5: after a reset all that a driver set is as at first, and the target stays") {
    BalloonSide b(kAllOfIt, 7);
    b.set_config(4, 3);
    b.set_config(12, 3);
    b.balloon.reset();
    CHECK(b.balloon.actual() == 0);
    CHECK(b.balloon.most_actual() == 3);
    CHECK(b.config(12) == 0);
    CHECK(b.config(0) == 7);
}

TEST_CASE("a balloon goes on from its saved bytes, and refuses others") {
    BalloonSide b(kAllOfIt, 7);
    b.set_config(4, 3);
    b.balloon.begin_hints();
    Driver& driver = *b.side.drivers[kStatistics];
    driver.add({{kData, 10}});
    b.side.kick(kStatistics);
    Balloon next(0);
    REQUIRE(b.side.move_to(next, kAllOfIt));
    CHECK(driver.get_used());  // the one that was kept
    CHECK(next.target() == 7);
    CHECK(next.actual() == 3);
    next.begin_hints();
    uint32_t command = 0;
    next.read_config(8, std::as_writable_bytes(std::span(&command, 1)));
    CHECK(command == kFirstHint + 1);
    b.side.device->reset();

    ByteWriter writer;
    next.save(writer);
    for (size_t length = 0; length < writer.bytes().size(); ++length) {
        ByteReader reader(writer.bytes().first(length));
        CHECK_FALSE(Balloon(0).restore(reader).ok());
    }
}

TEST_CASE("memory of each backing is really given back") {
    for (const auto backing : {MemoryBacking::kAnonymous, MemoryBacking::kMemfd, MemoryBacking::kHugetlb}) {
        auto created = GuestMemory::create(RamMap::of_size(32 * kMiB), backing);
        if (backing == MemoryBacking::kHugetlb && !created.ok()) continue;  // the host has none
        REQUIRE(created.ok());
        GuestMemory& memory = **created;
        const uint64_t page = backing == MemoryBacking::kHugetlb ? 2 * kMiB : 4 * kKiB;
        memory.write_bytes(Gpa{16 * kMiB}, std::vector<std::byte>(4 * kMiB, std::byte{1}));
        CHECK(memory.release(Gpa{16 * kMiB}, page / 2) == 0u);  // a part of one frees nothing
        CHECK(memory.release(Gpa{16 * kMiB + 1}, 2 * page - 1) == page);
        CHECK(memory.read<uint8_t>(Gpa{16 * kMiB + page}) == 0);
        CHECK_FALSE(memory.release(Gpa{32 * kMiB - page}, 2 * page));
        CHECK_FALSE(memory.release(Gpa{16}, ~uint64_t{0} - 8));
        CHECK_FALSE(memory.release(Gpa{~uint64_t{0}}, 2));
        if (backing == MemoryBacking::kHugetlb) continue;
        unsigned char resident = 1;
        std::byte* const host = memory.regions()[0].host + 18 * kMiB;
        memory.write(Gpa{18 * kMiB}, 1);
        ::madvise(host, 2 * kMiB, MADV_NOHUGEPAGE);
        CHECK(memory.release(Gpa{18 * kMiB}, page) == page);
        REQUIRE(::mincore(host, page, &resident) == 0);
        CHECK((resident & 1) == 0);
    }
}
