#include "devices/backends/disk_requests.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>

#include "vmm/base/check.h"

namespace carrel {
namespace {

using Kind = DiskOperation::Kind;
constexpr uint64_t kSector = 512;
// Of the files that the DiskIo has: the image, and one beside it.
constexpr uint8_t kImage = 0, kBeside = 1;
constexpr unsigned kMostTries = 1000;

bool transfers(Kind kind) {
    return kind == Kind::kRead || kind == Kind::kWrite;
}

// Mostly it's one piece: the kernel needn't look for more.
ssize_t copy(int fd, bool read, std::span<const iovec> pieces, off_t offset) {
    const iovec& first = pieces.front();
    if (pieces.size() == 1)
        return read ? ::pread(fd, first.iov_base, first.iov_len, offset)
                    : ::pwrite(fd, first.iov_base, first.iov_len, offset);
    const auto count = static_cast<int>(pieces.size());
    return read ? ::preadv(fd, pieces.data(), count, offset) : ::pwritev(fd, pieces.data(), count, offset);
}

// `bytes` of `pieces` from `skip` on, or as much of it, whole sectors, as a system call takes. How much that
// is.
uint64_t cut(std::span<const iovec> pieces, uint64_t skip, uint64_t bytes, std::vector<iovec>& to) {
    to.clear();
    uint64_t taken = 0;
    for (const iovec& piece : pieces) {
        if (skip >= piece.iov_len) {
            skip -= piece.iov_len;
            continue;
        }
        if (taken == bytes || to.size() == IOV_MAX) break;
        const size_t length = std::min<uint64_t>(piece.iov_len - skip, bytes - taken);
        to.push_back({static_cast<std::byte*>(piece.iov_base) + skip, length});
        taken += length;
        skip = 0;
    }
    for (uint64_t odd = taken % kSector; odd > 0;) {
        iovec& last = to.back();
        const uint64_t off = std::min<uint64_t>(odd, last.iov_len);
        last.iov_len -= off;
        odd -= off;
        if (last.iov_len == 0) to.pop_back();
    }
    return taken / kSector * kSector;
}

}  // namespace

Result<std::unique_ptr<DiskRequests>> DiskRequests::create(const DiskImage& image, uint16_t places,
                                                           std::shared_ptr<ChargeSink> charge) {
    std::array<int, DiskIo::kMostFiles> files{image.fd.get(), -1};
    size_t count = 1;
    if (image.overlay) files[count++] = image.overlay->fd();
    if (image.cached.valid()) files[count++] = image.cached.get();
    TRY_ASSIGN(auto io, make_disk_io(std::span(files).first(count), places, std::move(charge)));
    return std::make_unique<DiskRequests>(image, std::move(io), places);
}

DiskRequests::DiskRequests(const DiskImage& image, std::unique_ptr<DiskIo> io, uint16_t places)
    : image_(image), overlay_(image.overlay.get()), io_(std::move(io)), waiting_(places) {
    places_.reserve(places);
}

std::optional<int> DiskRequests::now(const DiskRequest& request) const {
    if (!image_.in_memory || request.bytes > DiskIo::kMostCopied || request.pieces.size() > IOV_MAX)
        return std::nullopt;
    if (request.kind == Kind::kSync) return 0;  // there is no medium
    if (!transfers(request.kind)) return std::nullopt;
    const ssize_t done = copy(image_.fd.get(), request.kind == Kind::kRead, request.pieces,
                              static_cast<off_t>(request.offset));
    if (done >= 0 && static_cast<uint64_t>(done) == request.bytes) return 0;
    return std::nullopt;  // whatever it is, start() sees to it
}

void DiskRequests::start(uint16_t tag, const DiskRequest& request) {
    CHECK(tag < places_.capacity());
    if (tag >= places_.size()) places_.resize(tag + size_t{1});
    Progress& progress = places_[tag];
    progress.request = request;
    progress.done = 0;
    progress.tries = 0;
    progress.syncing = false;
    progress.alone = !fits(request);
    if (waiting_count_ == 0 && may_begin(progress)) return begin(tag);
    waiting_[(first_waiting_ + waiting_count_++) % waiting_.size()] = tag;
}

bool DiskRequests::fits(const DiskRequest& request) const {
    if (image_.alignment == 0 || request.kind == Kind::kSync) return true;
    const uint64_t mask = image_.alignment - 1;
    uint64_t all = request.offset | request.bytes;
    for (const iovec& piece : request.pieces)
        all |= reinterpret_cast<uintptr_t>(piece.iov_base) | piece.iov_len;
    for (const DiskRange& range : request.ranges) all |= range.offset | range.bytes;
    return (all & mask) == 0;
}

bool DiskRequests::may_begin(const Progress& progress) const {
    if (begun_ == 0) return true;
    return !cancelled_ && !alone_ && !progress.alone && bytes_ + progress.request.bytes <= kMostBytes &&
           io_->room();
}

void DiskRequests::begin(uint16_t tag) {
    ++begun_;
    bytes_ += places_[tag].request.bytes;
    alone_ = places_[tag].alone;
    step(tag);
}

uint16_t DiskRequests::take_waiting() {
    const uint16_t tag = waiting_[first_waiting_];
    first_waiting_ = (first_waiting_ + 1) % waiting_.size();
    --waiting_count_;
    return tag;
}

void DiskRequests::step(uint16_t tag) {
    Progress& progress = places_[tag];
    DiskOperation operation;
    operation.kind = progress.syncing ? Kind::kSync : progress.request.kind;
    operation.file = overlay_ != nullptr || progress.alone ? kBeside : kImage;
    operation.tag = tag;
    if (transfers(operation.kind)) {
        fill_transfer(progress, operation);
    } else if (operation.kind != Kind::kSync) {
        fill_range(progress, operation);
    }
    progress.step = operation.bytes;
    io_->start(operation);
}

void DiskRequests::fill_transfer(Progress& progress, DiskOperation& operation) const {
    const DiskRequest& request = progress.request;
    operation.offset = request.offset + progress.done;
    operation.bytes = request.bytes - progress.done;
    operation.durable = request.durable && overlay_ == nullptr;  // there, its bits come later
    if (overlay_ != nullptr) {
        const bool read = request.kind == Kind::kRead;
        const auto run =
            read ? overlay_->run(operation.offset, operation.bytes) : DiskOverlay::Run{true, operation.bytes};
        operation.file = run.here ? kBeside : kImage;
        operation.bytes = run.bytes;
        if (run.here) operation.offset = overlay_->place(operation.offset);
    }
    const bool whole = operation.bytes == request.bytes && request.bytes <= DiskIo::kMostBytes &&
                       request.pieces.size() <= IOV_MAX;
    if (whole) {
        operation.pieces = request.pieces;
    } else {
        operation.bytes =
            cut(request.pieces, progress.done,
                std::min(operation.bytes, DiskIo::kMostBytes / kSector * kSector), progress.rest);
        operation.pieces = progress.rest;
    }
}

void DiskRequests::fill_range(const Progress& progress, DiskOperation& operation) const {
    const DiskRange& range = progress.request.ranges[progress.done];
    if (overlay_ != nullptr) operation.kind = Kind::kPunch;
    operation.offset = overlay_ != nullptr ? overlay_->place(range.offset) : range.offset;
    operation.bytes = range.bytes;
}

std::optional<DiskRequests::Ended> DiskRequests::reap() {
    if (cancelled_ && waiting_count_ > 0) return Ended{take_waiting(), ECANCELED};
    while (const auto ended = io_->reap()) {
        const auto tag = static_cast<uint16_t>(ended->tag);
        if (const auto error = advance(places_[tag], ended->result)) return end(tag, *error);
        step(tag);  // there is room: that of the operation that has ended
    }
    return std::nullopt;
}

DiskRequests::Ended DiskRequests::end(uint16_t tag, int error) {
    --begun_;
    bytes_ -= places_[tag].request.bytes;
    alone_ = false;
    if (under_way() == 0) cancelled_ = false;
    while (!cancelled_ && waiting_count_ > 0 && may_begin(places_[waiting_[first_waiting_]]))
        begin(take_waiting());
    return {tag, error};
}

// An errno or 0 where the request has ended; nothing where it goes on.
std::optional<int> DiskRequests::advance(Progress& progress, int32_t result) {
    if (cancelled_) return ECANCELED;
    const bool again = result == -EAGAIN || result == -EINTR;
    if (again && ++progress.tries < kMostTries) return std::nullopt;
    if (result < 0) return -result;
    progress.tries = 0;
    if (progress.syncing || progress.request.kind == Kind::kSync) return 0;
    if (transfers(progress.request.kind)) return advance_transfer(progress, static_cast<uint64_t>(result));
    const DiskRange& range = progress.request.ranges[progress.done];
    if (overlay_ != nullptr) overlay_->mark(range.offset, range.bytes);
    if (++progress.done < progress.request.ranges.size()) return std::nullopt;
    return settled(progress);
}

// Fewer bytes than asked for: the rest is asked for again; none: the file has become shorter, or is full.
std::optional<int> DiskRequests::advance_transfer(Progress& progress, uint64_t bytes) {
    const bool write = progress.request.kind == Kind::kWrite;
    const uint64_t unit = progress.alone || image_.alignment == 0 ? kSector : image_.alignment;
    const uint64_t moved = std::min(bytes / unit * unit, progress.step);
    if (moved == 0) return write ? ENOSPC : ENODATA;
    if (overlay_ != nullptr && write) overlay_->mark(progress.request.offset + progress.done, moved);
    progress.done += moved;
    if (progress.done < progress.request.bytes) return std::nullopt;
    return write ? settled(progress) : 0;
}

std::optional<int> DiskRequests::settled(Progress& progress) const {
    const bool by_itself = overlay_ == nullptr && transfers(progress.request.kind);
    if (!progress.request.durable || by_itself) return 0;
    progress.syncing = true;
    return std::nullopt;
}

}  // namespace carrel
