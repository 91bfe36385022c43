#include "devices/backends/disk_ring.h"

#include <sys/eventfd.h>

#include <array>
#include <cerrno>

#include "vmm/base/check.h"

namespace carrel {
namespace {

constexpr int kRegisteredFile = 0;

// io_uring_register(2), IORING_REGISTER_RESTRICTIONS: what isn't listed is refused with EACCES.
int restrict_to_disk(io_uring& ring) {
    std::array<io_uring_restriction, 5> rules{};
    const auto allow = [&rules](size_t i, uint8_t operation) {
        rules[i].opcode = IORING_RESTRICTION_SQE_OP;
        rules[i].sqe_op = operation;
    };
    allow(0, IORING_OP_READV);
    allow(1, IORING_OP_WRITEV);
    allow(2, IORING_OP_FSYNC);
    rules[3].opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED;
    rules[3].sqe_flags = IOSQE_FIXED_FILE | IOSQE_ASYNC;
    rules[4].opcode = IORING_RESTRICTION_SQE_FLAGS_REQUIRED;
    rules[4].sqe_flags = IOSQE_FIXED_FILE;
    return io_uring_register_restrictions(&ring, rules.data(), rules.size());
}

uint8_t flags_for(std::span<const iovec> pieces) {
    size_t bytes = 0;
    for (const iovec& piece : pieces) bytes += piece.iov_len;
    return bytes > DiskRing::kMostCopied ? IOSQE_FIXED_FILE | IOSQE_ASYNC : IOSQE_FIXED_FILE;
}

Error refused(int code, const char* what) {
    return os_error(code, std::string("io_uring: the kernel refused to ") + what,
                    "check sysctl kernel.io_uring_disabled");
}

}  // namespace

Result<std::unique_ptr<DiskRing>> DiskRing::create(int file, unsigned entries) {
    auto ring = std::make_unique<DiskRing>();
    io_uring_params params{};
    params.flags = IORING_SETUP_R_DISABLED | IORING_SETUP_CLAMP;
    if (const int error = io_uring_queue_init_params(entries, &ring->ring_, &params); error < 0)
        return refused(-error, "make a ring");
    ring->open_ = true;
    ring->entries_ = params.sq_entries;
    ring->event_ = Fd(::eventfd(0, EFD_CLOEXEC));
    if (ring->event_.get() < 0) return os_error(errno, "cannot make an eventfd");
    if (const int error = io_uring_register_files(&ring->ring_, &file, 1); error < 0)
        return refused(-error, "register the disk's file");
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

io_uring_sqe& DiskRing::next() {
    CHECK(room());
    io_uring_sqe* const entry = io_uring_get_sqe(&ring_);
    CHECK(entry != nullptr);  // as many as entries_, and those under way are fewer
    ++under_way_;
    return *entry;
}

void DiskRing::read(std::span<const iovec> pieces, uint64_t offset, uint64_t tag) {
    io_uring_sqe& entry = next();
    io_uring_prep_readv(&entry, kRegisteredFile, pieces.data(), static_cast<unsigned>(pieces.size()), offset);
    entry.flags = flags_for(pieces);
    entry.user_data = tag;
}

void DiskRing::write(std::span<const iovec> pieces, uint64_t offset, bool durable, uint64_t tag) {
    io_uring_sqe& entry = next();
    io_uring_prep_writev2(&entry, kRegisteredFile, pieces.data(), static_cast<unsigned>(pieces.size()),
                          offset, durable ? RWF_DSYNC : 0);
    entry.flags = flags_for(pieces);
    entry.user_data = tag;
}

void DiskRing::sync(uint64_t tag) {
    io_uring_sqe& entry = next();
    io_uring_prep_fsync(&entry, kRegisteredFile, IORING_FSYNC_DATASYNC);
    entry.flags = IOSQE_FIXED_FILE;
    entry.user_data = tag;
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

std::optional<DiskRing::Ended> DiskRing::reap() {
    io_uring_cqe* done = nullptr;
    if (io_uring_peek_cqe(&ring_, &done) != 0 || done == nullptr) return std::nullopt;
    const Ended ended{done->user_data, done->res};
    io_uring_cqe_seen(&ring_, done);
    --under_way_;
    return ended;
}

bool DiskRing::wait(Nanoseconds limit) {
    submit();
    __kernel_timespec time{limit / kSecond, limit % kSecond};
    io_uring_cqe* done = nullptr;
    return io_uring_wait_cqe_timeout(&ring_, &done, &time) == 0;
}

}  // namespace carrel
