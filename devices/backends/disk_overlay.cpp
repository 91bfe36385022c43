#include "devices/backends/disk_overlay.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>

#include "devices/backends/image_lock.h"

namespace carrel {
namespace {

constexpr uint64_t kSector = 512, kPage = 4096;

struct Header {
    std::array<char, 16> magic;
    uint32_t version;
    uint32_t sector;
    uint64_t bytes;        // of the disk
    int64_t base_seconds;  // when the base was written last
    int64_t base_nanoseconds;
    bool operator==(const Header&) const = default;
};
constexpr std::array<char, 16> kMagic = {'c', 'a', 'r', 'r', 'e', 'l', ' ',  'o',
                                         'v', 'e', 'r', 'l', 'a', 'y', '\n', 0};
constexpr uint32_t kVersion = 1;

uint64_t bits_bytes(uint64_t bytes) {
    const uint64_t sectors = bytes / kSector;
    return (sectors / 8 + kPage) / kPage * kPage;
}
uint64_t data_at(uint64_t bytes) {
    return kPage + bits_bytes(bytes);
}

Error cannot(int code, const char* key, const std::string& path, const char* what) {
    return os_error(code, fmt::format("{}: cannot {} the overlay {}", key, what, path),
                    "is there room, and does its file system have sparse files?");
}

// The whole length at once: where the file system has too low a limit, that is known now.
Result<void> stretch(const Fd& fd, uint64_t bytes, const char* key, const std::string& path) {
    if (::ftruncate(fd.get(), static_cast<off_t>(data_at(bytes) + bytes)) == 0) return {};
    return cannot(errno, key, path, "make");
}

// Its bits get their room at once: a full disk would otherwise be a SIGBUS later.
Result<void> begin(const Fd& fd, const Header& header, const char* key, const std::string& path) {
    TRY(stretch(fd, header.bytes, key, path));
    if (::fallocate(fd.get(), 0, 0, static_cast<off_t>(data_at(header.bytes))) != 0 ||
        ::pwrite(fd.get(), &header, sizeof header, 0) != static_cast<ssize_t>(sizeof header) ||
        ::fsync(fd.get()) != 0)
        return cannot(errno, key, path, "make");
    return {};
}

Result<void> check(const Fd& fd, const Header& expected, const char* key, const std::string& path) {
    Header found{};
    const bool whole = ::pread(fd.get(), &found, sizeof found, 0) == static_cast<ssize_t>(sizeof found);
    if (!whole || found.magic != expected.magic)
        return usage_error(fmt::format("{}: {} isn't an overlay of carrel's", key, path),
                           "name a file that isn't there yet, or one that an overlay was kept in");
    if (found.version != expected.version || found.sector != expected.sector)
        return usage_error(fmt::format("{}: {} is an overlay of another version of carrel", key, path),
                           "use that version, or start a new overlay");
    if (found != expected)
        return usage_error(
            fmt::format("{}: {} was kept over another base, or the base has been written since", key, path),
            "name the image that it was made over, as it was, or start a new overlay");
    struct stat status {};
    const auto least = static_cast<off_t>(data_at(expected.bytes) + expected.bytes);
    if (::fstat(fd.get(), &status) != 0 || status.st_size < least)
        return usage_error(fmt::format("{}: the overlay {} has been cut short", key, path),
                           "take another copy of it, or start a new overlay");
    return {};
}

}  // namespace

Result<std::unique_ptr<DiskOverlay>> DiskOverlay::temporary(Opener& opener, const std::string& folder,
                                                            uint64_t bytes, const char* key) {
    auto fd = opener.open(folder, O_TMPFILE | O_RDWR);
    if (!fd.ok())
        return usage_error(fmt::format("{}: no overlay can be made in {}: {}", key, folder, fd.error().what),
                           "set TMPDIR to a folder on a disk with room, or name a file: overlay=FILE");
    TRY(stretch(*fd, bytes, key, folder));
    TRY_ASSIGN(Mapping bits,
               Mapping::map(bits_bytes(bytes), PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0, "an overlay's bits"));
    return std::make_unique<DiskOverlay>(std::move(*fd), std::move(bits), bytes);
}

Result<std::unique_ptr<DiskOverlay>> DiskOverlay::kept(Opener& opener, const std::string& path,
                                                       const struct stat& base, uint64_t bytes,
                                                       const char* key) {
    auto fd = opener.open(path, O_RDWR | O_CREAT | O_NONBLOCK, 0600);
    if (!fd.ok())
        return usage_error(fmt::format("{}: {}", key, fd.error().what), "name a file that you may write");
    struct stat status {};
    if (::fstat(fd->get(), &status) != 0 || !S_ISREG(status.st_mode))
        return usage_error(fmt::format("{}: the overlay {} isn't a file", key, path), "name a file");
    TRY_ASSIGN(ImageLock lock, ImageLock::take(opener, *fd, path, false, key));
    const Header header{kMagic, kVersion, kSector, bytes, base.st_mtim.tv_sec, base.st_mtim.tv_nsec};
    TRY(status.st_size == 0 ? begin(*fd, header, key, path) : check(*fd, header, key, path));
    TRY_ASSIGN(Mapping bits, Mapping::map(bits_bytes(bytes), PROT_READ | PROT_WRITE, MAP_SHARED, fd->get(),
                                          kPage, "an overlay's bits"));
    auto overlay = std::make_unique<DiskOverlay>(std::move(*fd), std::move(bits), bytes);
    overlay->lock_ = std::move(lock);
    return overlay;
}

DiskOverlay::DiskOverlay(Fd fd, Mapping bits, uint64_t bytes)
    : fd_(std::move(fd)), bits_(std::move(bits)), data_(data_at(bytes)) {
    words_ = {reinterpret_cast<uint64_t*>(bits_.data()), bits_.size() / sizeof(uint64_t)};
}

DiskOverlay::Run DiskOverlay::run(uint64_t offset, uint64_t bytes) const {
    const uint64_t first = offset / kSector, end = first + bytes / kSector;
    const bool state = here(first);
    uint64_t sector = first;
    while (sector < end) {
        // Bits that differ from the first one's are 1 in `other`.
        const uint64_t word = words_[sector / 64];
        const uint64_t other = (state ? ~word : word) >> sector % 64;
        if (other != 0) {
            sector += static_cast<uint64_t>(std::countr_zero(other));
            break;
        }
        sector += 64 - sector % 64;
    }
    return {state, (std::min(sector, end) - first) * kSector};
}

void DiskOverlay::mark(uint64_t offset, uint64_t bytes) {
    const uint64_t first = offset / kSector, end = first + bytes / kSector;
    for (uint64_t sector = first; sector < end;) {
        const uint64_t from = sector % 64, count = std::min(64 - from, end - sector);
        const uint64_t ones = count == 64 ? ~uint64_t{0} : (uint64_t{1} << count) - 1;
        words_[sector / 64] |= ones << from;
        sector += count;
    }
}

}  // namespace carrel
