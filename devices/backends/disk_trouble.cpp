#include "devices/backends/disk_trouble.h"

#include <cerrno>
#include <string_view>

namespace carrel {
namespace {

std::string_view verb(DiskOperation::Kind kind) {
    using Kind = DiskOperation::Kind;
    switch (kind) {
        case Kind::kRead: return "read";
        case Kind::kWrite: return "write";
        case Kind::kSync: return "flush";
        default: return "discard or write of zeros";
    }
}

std::string_view advice(int error) {
    switch (error) {
        case ENOSPC:
        case EDQUOT: return "make room in its file system";
        case EFBIG: return "its file system or a limit (ulimit -f) allows no longer file";
        case EIO: return "see the host's kernel log (dmesg)";
        case ENODATA: return "the file is shorter than it was: give it its length back";
        default: return "see whether its storage is well";
    }
}

}  // namespace

void DiskTrouble::failed(DiskOperation::Kind kind, int error, Nanoseconds now) {
    uint64_t before = 0;
    if (log_ == nullptr || !limit_.allow(now, before)) return;
    const Error told =
        os_error(error, fmt::format("disk {}: a {} failed", path_, verb(kind)), std::string(advice(error)));
    log_->warning("{}. The guest gets errors; more of them are counted ({} so far) and told once a minute",
                  told.sentence(), before);
}

void DiskTrouble::shrunk(uint64_t bytes, Nanoseconds now) {
    uint64_t before = 0;
    if (log_ == nullptr || !limit_.allow(now, before)) return;
    log_->warning(
        "disk {}: it has shrunk to {} bytes; what was behind is gone, and the guest gets errors there", path_,
        bytes);
}

void DiskTrouble::stuck(size_t requests) {
    if (log_ == nullptr) return;
    log_->warning(
        "disk {}: {} requests don't come back; they are left behind. Does its storage still answer?", path_,
        requests);
}

}  // namespace carrel
