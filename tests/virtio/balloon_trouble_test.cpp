// What a balloon's driver shouldn't do, and that nobody else feels it.
#include <unistd.h>

#include <fstream>

#include "tests/virtio/balloon_rig.h"

using namespace carrel;
using namespace carrel::virtio;
using namespace carrel::virtio::test;

namespace {

uint64_t resident_bytes() {
    uint64_t size = 0, resident = 0;
    std::ifstream("/proc/self/statm") >> size >> resident;
    return resident * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

TEST_CASE("a page that is given twice, in one chain or two, is given once") {
    BalloonSide b;
    b.fill(0x300000, 0x2000);
    b.name(kInflate, {0x300, 0x300, 0x301, 0x300});
    b.name(kInflate, {0x301, 0x300});
    CHECK(b.at(0x300000) == 0);
    CHECK(b.at(0x301fff) == 0);
    CHECK(b.balloon.refused_pages() == 0);
    CHECK_FALSE(b.side.broken);
}

// Its available ring reads as empty then, and an index that runs backwards is an error of the queue's: the
// device says so, and works again after a reset.
TEST_CASE("the pages of the ring itself hurt their driver alone") {
    BalloonSide b;
    b.fill(0x300000, 0x1000);
    const std::array<uint32_t, 2> rings{kDescriptors >> 12, kDriverArea >> 12};
    b.side.memory->write_bytes(Gpa{kData}, std::as_bytes(std::span(rings)));
    b.side.drivers[kInflate]->add({{kData, 8}});
    b.side.kick(kInflate);
    b.side.drivers[kInflate]->add({{kData, 8}});
    b.side.kick(kInflate);
    b.balloon.reset();
    b.side.forget_rings();
    REQUIRE(b.side.start(kAllOfIt) == nullptr);
    b.name(kInflate, {0x300});
    CHECK(b.at(0x300000) == 0);
    CHECK_FALSE(b.side.broken);
}

TEST_CASE("rule 3: chains without end are served a few at a time, and all are served") {
    BalloonSide b;
    const uint32_t page = 0x300;
    b.side.memory->write(Gpa{kData}, page);
    Driver& driver = *b.side.drivers[kInflate];
    for (unsigned i = 0; i < DeviceSide::kSize; ++i) driver.add({{kData, 4}});
    driver.publish();
    b.balloon.notify(kInflate);
    unsigned back = 0;
    while (driver.get_used()) ++back;
    CHECK(back == 8);
    b.side.run_again();
    while (driver.get_used()) ++back;
    CHECK(back == DeviceSide::kSize);
}

TEST_CASE("the process is smaller by what a guest gave up, inflating or reporting") {
    constexpr uint64_t kSize = 64 * kMiB, kGiven = 32 * kMiB, kAt = 16 * kMiB;
    for (const auto backing : {MemoryBacking::kAnonymous, MemoryBacking::kMemfd}) {
        for (const bool reported : {false, true}) {
            BalloonSide b(kAllOfIt, 0, GuestMemory::create(RamMap::of_size(kSize), backing).value());
            b.fill(kAt, kGiven);
            const uint64_t before = resident_bytes();
            for (uint64_t chunk = 0; chunk < kGiven; chunk += kMiB) {
                std::vector<uint32_t> pages;
                for (uint64_t page = 0; page < kMiB; page += kBalloonPageSize)
                    pages.push_back(static_cast<uint32_t>((kAt + chunk + page) / kBalloonPageSize));
                if (reported) {
                    b.send(kReports, {{kAt + chunk, kMiB, true}});
                } else {
                    b.name(kInflate, pages);
                }
            }
            CHECK(before - resident_bytes() > kGiven / 8 * 7);  // the sanitizer's own memory grows
            CHECK(b.balloon.released_bytes() == kGiven);
            CHECK(b.at(kAt + kGiven - 1) == 0);
        }
    }
}
