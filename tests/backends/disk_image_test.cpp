// Which files can be a disk, and who may have one at the same time.
#include "devices/backends/disk_image.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include "devices/backends/disk_ring.h"
#include "tests/catch.h"

using namespace carrel;

namespace {

struct Folder {
    explicit Folder(const char* where = "/tmp") {
        std::string name = std::string(where) + "/carrel-disk-XXXXXX";
        if (::mkdtemp(name.data()) == nullptr) std::abort();
        path = name;
    }
    ~Folder() { std::filesystem::remove_all(path); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    std::string file(const char* name, off_t bytes) const {
        const std::string full = path + "/" + name;
        const Fd fd(::open(full.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
        if (::ftruncate(fd.get(), bytes) != 0) std::abort();
        return full;
    }
    std::string path;
};

Result<DiskImage> open(const std::string& path, bool read_only = false) {
    DirectOpener opener;
    return DiskImage::open(opener, path, read_only, "--disk");
}

// The words of a refusal: a sentence that names the option and the file.
std::string refusal(const std::string& path, bool read_only) {
    const auto image = open(path, read_only);
    if (image.ok()) return "";
    CHECK(image.error().fault == Fault::kUsage);
    CHECK(image.error().what.starts_with("--disk: "));
    CHECK(image.error().what.find(path) != std::string::npos);
    CHECK_FALSE(image.error().advice.empty());
    return image.error().what;
}

}  // namespace

TEST_CASE("disk image: whole sectors of 512, the rest is left out") {
    const Folder folder;
    const auto image = open(folder.file("odd", 3 * 512 + 511));
    REQUIRE(image.ok());
    CHECK(image.value().bytes == 3 * 512);
    CHECK(image.value().block_size == 512);
    CHECK_FALSE(image.value().read_only);
    CHECK((::fcntl(image.value().fd.get(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("disk image: what can't be a disk is refused in a sentence, and nothing is waited for") {
    const Folder folder;
    const bool read_only = GENERATE(false, true);
    const std::string fifo = folder.path + "/fifo";
    REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
    CHECK(refusal(fifo, read_only) != "");
    CHECK(refusal(folder.path, read_only) != "");
    CHECK(refusal(folder.file("empty", 0), read_only) != "");
    CHECK(refusal(folder.file("small", 511), read_only) != "");
    CHECK(refusal(folder.path + "/none", read_only) != "");
    CHECK(refusal("/dev/null", read_only) != "");
    CHECK(refusal("", read_only) != "");
}

TEST_CASE("disk image: one writer, or any number of readers, in one process, too") {
    const Folder folder;
    const std::string path = folder.file("disk", 4096);
    const auto is_refused = [&](bool read_only) {
        return refusal(path, read_only).find("in use by another guest or program") != std::string::npos;
    };
    {
        const auto writer = open(path);
        REQUIRE(writer.ok());
        CHECK(is_refused(false));
        CHECK(is_refused(true));
        // Another name for the same file.
        const std::string link = folder.path + "/link";
        REQUIRE(::symlink(path.c_str(), link.c_str()) == 0);
        CHECK_FALSE(open(link).ok());
        // A descriptor that somebody else closes doesn't take the lock along, as POSIX locks would.
        { const Fd other(::open(path.c_str(), O_RDWR | O_CLOEXEC)); }
        CHECK(is_refused(false));
    }
    {
        const auto first = open(path, true);
        const auto second = open(path, true);
        CHECK(first.ok());
        CHECK(second.ok());
        CHECK(is_refused(false));
    }
    CHECK(open(path).ok());
}

TEST_CASE("disk image: what io_uring does with it waits for the disk, on every file system that is here") {
    const char* const where = GENERATE("/tmp", "/dev/shm", "/var/tmp");
    if (::access(where, W_OK) != 0) return;
    const Folder folder(where);
    const auto image = open(folder.file("disk", 1 << 20));
    REQUIRE(image.ok());
    CHECK((::fcntl(image.value().fd.get(), F_GETFL) & O_NONBLOCK) == 0);
    auto ring = DiskRing::create(image.value().fd.get(), 8);
    if (!ring.ok()) return;  // tests/virtio says that it was skipped
    std::array<std::byte, 4096> bytes{};
    const iovec piece{bytes.data(), bytes.size()};
    (*ring)->write({&piece, 1}, 8192, true, 1);
    (*ring)->sync(2);
    (*ring)->read({&piece, 1}, 0, 3);
    std::array<int32_t, 4> results{-1, -1, -1, -1};
    while ((*ring)->under_way() > 0 && (*ring)->wait(10 * kSecond))
        while (const auto ended = (*ring)->reap()) results.at(ended->tag) = ended->result;
    CHECK(results == std::array<int32_t, 4>{-1, 4096, 0, 4096});
}

TEST_CASE("disk ring: a large operation doesn't keep who submits it") {
    const Folder folder;
    const auto image = open(folder.file("disk", 8 << 20));
    REQUIRE(image.ok());
    auto created = DiskRing::create(image.value().fd.get(), 8);
    if (!created.ok()) return;
    DiskRing& ring = **created;
    const size_t size = size_t{8} << 20;
    std::vector<std::byte> from(size, std::byte{0x5a});
    std::vector<std::byte> to(size);
    // In two pieces, which stay our own only until submit() returns.
    for (const bool write : {true, false}) {
        std::byte* const data = write ? from.data() : to.data();
        {
            const std::array<iovec, 2> pieces{iovec{data, 5000}, iovec{data + 5000, size - 5000}};
            if (write) ring.write(pieces, 0, false, 7);
            if (!write) ring.read(pieces, 0, 7);
            ring.submit();
        }
        REQUIRE(ring.wait(10 * kSecond));
        CHECK(ring.reap().value().result == 8 << 20);
    }
    CHECK((from == to));
}

TEST_CASE("disk ring: as many operations as it has room for, and what it isn't allowed is refused") {
    const Folder folder;
    const auto image = open(folder.file("disk", 1 << 20), true);
    REQUIRE(image.ok());
    auto created = DiskRing::create(image.value().fd.get(), 8);
    if (!created.ok()) return;
    DiskRing& ring = **created;
    std::array<std::byte, 512> bytes{};
    const iovec piece{bytes.data(), bytes.size()};
    for (int round = 0; round < 100; ++round) {
        uint64_t n = 0;
        for (; ring.room(); ++n) ring.read({&piece, 1}, 0, n);
        CHECK(n >= 8);
        ring.submit();
        uint64_t ended = 0;
        while (ring.under_way() > 0 && ring.wait(10 * kSecond))
            while (const auto one = ring.reap()) ended += one->result == 512;
        REQUIRE(ended == n);
    }
    ring.write({&piece, 1}, 0, false, 0);  // the descriptor is for reading
    REQUIRE(ring.wait(10 * kSecond));
    CHECK(ring.reap().value().result < 0);
    CHECK_FALSE(ring.reap());
    CHECK_FALSE(ring.wait(10 * kMillisecond));
}
