#include "devices/backends/disk_ring.h"

#include <sys/eventfd.h>

#include <array>
#include <cerrno>

#include "vmm/base/check.h"

namespace carrel {
namespace {

// io_uring_register(2), IORING_REGISTER_RESTRICTIONS: what isn't listed is refused with EACCES.
int restrict_to_disk(io_uring& ring) {
    constexpr std::array<uint8_t, 4> kAllowed = {IORING_OP_READV, IORING_OP_WRITEV, IORING_OP_FSYNC,
                                                 IORING_OP_FALLOCATE};
    std::array<io_uring_restriction, kAllowed.size() + 2> rules{};
    for (size_t i = 0; i < kAllowed.size(); ++i) {
        rules[i].opcode = IORING_RESTRICTION_SQE_OP;
        rules[i].sqe_op = kAllowed[i];
    }
    rules[kAllowed.size()].opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED;
    rules[kAllowed.size()].sqe_flags = IOSQE_FIXED_FILE | IOSQE_ASYNC;
    rules[kAllowed.size() + 1].opcode = IORING_RESTRICTION_SQE_FLAGS_REQUIRED;
    rules[kAllowed.size() + 1].sqe_flags = IOSQE_FIXED_FILE;
    return io_uring_register_restrictions(&ring, rules.data(), rules.size());
}

Error refused(int code, const char* what) {
    return os_error(code, std::string("io_uring: the kernel refused to ") + what,
                    "check sysctl kernel.io_uring_disabled");
}

void prepare(io_uring_sqe& entry, const DiskOperation& o) {
    const auto count = static_cast<unsigned>(o.pieces.size());
    using Kind = DiskOperation::Kind;
    switch (o.kind) {
        case Kind::kRead: return io_uring_prep_readv(&entry, o.file, o.pieces.data(), count, o.offset);
        case Kind::kWrite:
            return io_uring_prep_writev2(&entry, o.file, o.pieces.data(), count, o.offset,
                                         o.durable ? RWF_DSYNC : 0);
        case Kind::kSync: return io_uring_prep_fsync(&entry, o.file, IORING_FSYNC_DATASYNC);
        case Kind::kPunch:
        case Kind::kZero:
            // Not io_uring_prep_fallocate(): its types differ between versions of liburing.
            io_uring_prep_rw(IORING_OP_FALLOCATE, &entry, o.file, nullptr,
                             static_cast<unsigned>(range_mode(o.kind)), o.offset);
            entry.addr = o.bytes;
            return;
    }
}

}  // namespace

Result<std::unique_ptr<DiskRing>> DiskRing::create(std::span<const int> files, unsigned entries) {
    auto ring = std::make_unique<DiskRing>();
    io_uring_params params{};
    params.flags = IORING_SETUP_R_DISABLED | IORING_SETUP_CLAMP | IORING_SETUP_CQSIZE;
    params.cq_entries = entries;  // no more are under way; twice as many, the default, are another page
    if (const int error = io_uring_queue_init_params(entries, &ring->ring_, &params); error < 0)
        return refused(-error, "make a ring");
    ring->open_ = true;
    ring->entries_ = params.sq_entries;
    ring->event_ = Fd(::eventfd(0, EFD_CLOEXEC));
    if (ring->event_.get() < 0) return os_error(errno, "cannot make an eventfd");
    const auto count = static_cast<unsigned>(files.size());
    if (const int error = io_uring_register_files(&ring->ring_, files.data(), count); error < 0)
        return refused(-error, "register the disk's files");
    if (const int error = io_uring_register_eventfd(&ring->ring_, ring->event_.get()); error < 0)
        return refused(-error, "register an eventfd");
    if (const int error = restrict_to_disk(ring->ring_); error < 0) return refused(-error, "restrict a ring");
    if (const int error = io_uring_enable_rings(&ring->ring_); error < 0)
        return refused(-error, "switch a ring on");
    return ring;
}

DiskRing::~DiskRing() {
    if (open_) io_uring_queue_exit(&ring_);
}

void DiskRing::start(const DiskOperation& operation) {
    CHECK(room());
    io_uring_sqe* const entry = io_uring_get_sqe(&ring_);
    CHECK(entry != nullptr);  // as many as entries_, and those under way are fewer
    ++under_way_;
    prepare(*entry, operation);
    // A durable write may wait for the medium in whoever submits it.
    const bool long_one = operation.bytes > kMostCopied || operation.durable;
    entry->flags = long_one ? IOSQE_FIXED_FILE | IOSQE_ASYNC : IOSQE_FIXED_FILE;
    entry->user_data = operation.tag;
}

// io_uring_enter(2): EAGAIN and EBUSY.
bool DiskRing::submit() {
    while (io_uring_sq_ready(&ring_) > 0) {
        const int taken = io_uring_submit(&ring_);
        if (taken == -EINTR) continue;
        if (taken <= 0) return false;
    }
    return true;
}

std::optional<DiskIo::Ended> DiskRing::reap() {
    io_uring_cqe* done = nullptr;
    if (io_uring_peek_cqe(&ring_, &done) != 0 || done == nullptr) return std::nullopt;
    const Ended ended{done->user_data, done->res};
    io_uring_cqe_seen(&ring_, done);
    --under_way_;
    return ended;
}

}  // namespace carrel
