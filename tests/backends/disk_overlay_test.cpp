// An overlay: what was written is found again, what wasn't is the base's, which stays as it is.
#include "devices/backends/disk_overlay.h"

#include <sys/stat.h>

#include <map>
#include <random>

#include "devices/backends/disk_requests.h"
#include "tests/backends/disk_rig.h"
#include "tests/catch.h"

using namespace carrel;
using namespace carrel::test;

namespace {

using Kind = DiskOperation::Kind;
using Bytes = std::vector<uint8_t>;
constexpr uint64_t kSectors = 1000, kSector = 512;

// Each sector filled with its number.
std::string make_base(const Folder& folder) {
    const std::string path = folder.file("base", kSectors * kSector);
    const Fd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    for (uint64_t i = 0; i < kSectors; ++i) {
        const Bytes sector(kSector, static_cast<uint8_t>(i));
        if (::pwrite(fd.get(), sector.data(), kSector, static_cast<off_t>(i * kSector)) < 0) std::abort();
    }
    return path;
}

Result<DiskImage> open_over(const std::string& base, const std::string& kept = {}) {
    DiskConfig config;
    config.path = base;
    config.overlay = true;
    config.overlay_path = kept;
    return open_image(config);
}

struct Disk {
    explicit Disk(DiskImage opened)
        : image(std::move(opened)), requests(DiskRequests::create(image, 16).value()) {}
    int run(DiskRequest request) {
        requests->start(1, request);
        for (;;) {
            requests->submit();
            if (const auto ended = requests->reap()) return ended->error;
            requests->submit();  // what reap() has let go on
            uint64_t count = 0;
            (void)!::read(requests->event_fd(), &count, sizeof count);
        }
    }
    Bytes read(uint64_t sector, uint64_t count) {
        Bytes bytes(count * kSector, 0xee);
        const iovec piece{bytes.data(), bytes.size()};
        DiskRequest request;
        request.pieces = {&piece, 1};
        request.offset = sector * kSector;
        request.bytes = bytes.size();
        CHECK(run(request) == 0);
        return bytes;
    }
    void write(uint64_t sector, uint64_t count, uint8_t value, bool durable = false) {
        Bytes bytes(count * kSector, value);
        const iovec piece{bytes.data(), bytes.size()};
        DiskRequest request;
        request.kind = Kind::kWrite;
        request.durable = durable;
        request.pieces = {&piece, 1};
        request.offset = sector * kSector;
        request.bytes = bytes.size();
        CHECK(run(request) == 0);
    }
    void clear(uint64_t sector, uint64_t count, Kind kind) {
        const DiskRange range{sector * kSector, count * kSector};
        DiskRequest request;
        request.kind = kind;
        request.ranges = {&range, 1};
        CHECK(run(request) == 0);
    }
    DiskImage image;
    std::unique_ptr<DiskRequests> requests;
};

Bytes content(const std::string& path) {
    Bytes bytes(kSectors * kSector);
    const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (::pread(fd.get(), bytes.data(), bytes.size(), 0) < 0) std::abort();
    return bytes;
}

std::string why_not(const std::string& base, const std::string& kept) {
    const auto image = open_over(base, kept);
    REQUIRE_FALSE(image.ok());
    CHECK(image.error().fault == Fault::kUsage);
    CHECK_FALSE(image.error().advice.empty());
    return image.error().what;
}

}  // namespace

TEST_CASE("overlay: any mix of reads, writes, zeros and flushes is as on a disk, and the base stays") {
    const Folder folder;
    const std::string base = make_base(folder);
    const Bytes before = content(base);
    REQUIRE(::chmod(base.c_str(), 0400) == 0);
    Bytes expected = before;
    Disk disk(open_over(base).value());
    std::mt19937 random(7);
    for (int i = 0; i < 600; ++i) {
        const uint64_t sector = random() % kSectors,
                       count = 1 + random() % std::min<uint64_t>(kSectors - sector, 150);
        const auto from = expected.begin() + static_cast<long>(sector * kSector);
        switch (random() % 4) {
            case 0:
                disk.write(sector, count, static_cast<uint8_t>(i), random() % 8 == 0);
                std::fill_n(from, count * kSector, static_cast<uint8_t>(i));
                break;
            case 1:
                disk.clear(sector, std::min<uint64_t>(count, 20),
                           random() % 2 == 0 ? Kind::kPunch : Kind::kZero);
                std::fill_n(from, std::min<uint64_t>(count, 20) * kSector, uint8_t{0});
                break;
            default:
                REQUIRE((disk.read(sector, count) == Bytes(from, from + static_cast<long>(count * kSector))));
        }
    }
    DiskRequest flush;
    flush.kind = Kind::kSync;
    CHECK(disk.run(flush) == 0);
    CHECK((disk.read(0, kSectors) == expected));
    CHECK((content(base) == before));
}

TEST_CASE("overlay: one that is kept goes on where it was, even after a crash of the process") {
    const Folder folder;
    const std::string base = make_base(folder), kept = folder.path + "/kept";
    {
        Disk disk(open_over(base, kept).value());
        disk.write(63, 3, 0xaa);
        disk.clear(500, 1, Kind::kZero);
    }
    Disk disk(open_over(base, kept).value());
    CHECK((disk.read(62, 1) == Bytes(512, 62)));
    CHECK((disk.read(63, 3) == Bytes(3 * 512, 0xaa)));
    CHECK((disk.read(66, 1) == Bytes(512, 66)));
    CHECK((disk.read(500, 1) == Bytes(512, 0)));
    struct stat status {};
    REQUIRE(::stat(kept.c_str(), &status) == 0);
    CHECK(status.st_blocks * 512 < 100'000);  // sparse: the base has 512000 bytes
    CHECK((status.st_mode & 077) == 0);
}

TEST_CASE("overlay: a temporary one leaves nothing behind") {
    const Folder folder;
    const std::string base = make_base(folder);
    ::setenv("TMPDIR", folder.path.c_str(), 1);
    {
        Disk disk(open_over(base).value());
        disk.write(0, 100, 1);
        long files = 0;
        for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder.path)) ++files;
        CHECK(files == 1);
    }
    ::setenv("TMPDIR", "/proc/self", 1);
    CHECK(open_over(base).error().advice.find("TMPDIR") != std::string::npos);
    ::unsetenv("TMPDIR");
}

TEST_CASE("overlay: what isn't the base's overlay is refused, and left as it is") {
    const Folder folder;
    const std::string base = make_base(folder), kept = folder.path + "/kept";
    REQUIRE(open_over(base, kept).ok());
    SECTION("something else") {
        const std::string other = folder.file("other", 10000);
        CHECK(why_not(base, other).find("isn't an overlay") != std::string::npos);
        CHECK(why_not(base, base).find("in use") != std::string::npos);
        CHECK(why_not(base, folder.path) != "");
    }
    SECTION("of a base that has changed since") {
        const timespec times[2] = {{1, 0}, {1, 0}};
        REQUIRE(::utimensat(AT_FDCWD, base.c_str(), times, 0) == 0);
        CHECK(why_not(base, kept).find("has been written since") != std::string::npos);
    }
    SECTION("of a base of another length") {
        REQUIRE(::truncate(base.c_str(), kSectors * 1024) == 0);
        CHECK(why_not(base, kept).find("another base") != std::string::npos);
    }
    SECTION("cut short") {
        REQUIRE(::truncate(kept.c_str(), 5000) == 0);
        CHECK(why_not(base, kept).find("cut short") != std::string::npos);
    }
    SECTION("in use") {
        const auto first = open_over(base, kept);
        REQUIRE(first.ok());
        CHECK(why_not(base, kept).find("in use") != std::string::npos);
        CHECK(open_over(base, folder.path + "/second").ok());
        CHECK_FALSE(open_image(base).ok());  // nobody may write to a base
    }
}
