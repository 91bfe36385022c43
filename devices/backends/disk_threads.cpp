#include "devices/backends/disk_threads.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "vmm/base/check.h"

namespace carrel {
namespace {

ssize_t call(int fd, const DiskOperation& o) {
    const auto count = static_cast<int>(o.pieces.size());
    const auto offset = static_cast<off_t>(o.offset);
    using Kind = DiskOperation::Kind;
    switch (o.kind) {
        case Kind::kRead: return ::preadv(fd, o.pieces.data(), count, offset);
        case Kind::kWrite: return ::pwritev2(fd, o.pieces.data(), count, offset, o.durable ? RWF_DSYNC : 0);
        case Kind::kSync: return ::fdatasync(fd);
        case Kind::kPunch:
        case Kind::kZero: return ::fallocate(fd, range_mode(o.kind), offset, static_cast<off_t>(o.bytes));
    }
    return 0;
}

// Bytes, or -errno.
int32_t perform(int fd, const DiskOperation& operation) {
    for (;;) {
        const ssize_t result = call(fd, operation);
        if (result >= 0) return static_cast<int32_t>(result);
        if (errno != EINTR) return -errno;
    }
}

}  // namespace

Result<std::unique_ptr<DiskThreads>> DiskThreads::create(std::span<const int> files, unsigned entries,
                                                         std::shared_ptr<ChargeSink> charge) {
    auto disk = std::make_unique<DiskThreads>(entries);
    Shared& shared = *disk->shared_;
    shared.files.assign(files.begin(), files.end());
    shared.charge = std::move(charge);
    shared.event = Fd(::eventfd(0, EFD_CLOEXEC));
    if (!shared.event.valid()) return os_error(errno, "cannot make an eventfd");
    for (unsigned i = 0; i < kThreads; ++i) {
        TRY_ASSIGN(Thread thread, Thread::start("disk", [own = disk->shared_] { serve(own); }));
        disk->threads_.push_back(std::move(thread));
    }
    return disk;
}

DiskThreads::~DiskThreads() {
    bool stuck = false;
    {
        MutexLock lock(shared_->mutex);
        shared_->stop = true;
        stuck = shared_->busy > 0;
    }
    shared_->work.notify_all();
    if (!stuck) return;  // they are joined
    for (Thread& thread : threads_) thread.leave();
}

void DiskThreads::serve(const std::shared_ptr<Shared>& shared) {
    Shared& s = *shared;
    Nanoseconds charged = 0;  // of this thread's CPU time
    s.mutex.lock();
    for (;;) {
        while (s.jobs.empty() && !s.stop) s.work.wait(s.mutex);
        if (s.stop) break;
        Job job = std::move(s.jobs.front());
        s.jobs.pop_front();
        ++s.busy;
        s.mutex.unlock();
        job.operation.pieces = job.pieces;
        const Ended ended{job.operation.tag, perform(s.files[job.operation.file], job.operation)};
        if (s.charge) {
            const Nanoseconds now = thread_cpu_time();
            s.charge->charge(now - std::exchange(charged, now));
        }
        s.mutex.lock();
        --s.busy;
        s.ended.push_back(ended);
        const uint64_t one = 1;
        (void)!::write(s.event.get(), &one, sizeof one);
    }
    s.mutex.unlock();
}

void DiskThreads::start(const DiskOperation& operation) {
    CHECK(room());
    ++under_way_;
    noted_.push_back(Job{operation, {operation.pieces.begin(), operation.pieces.end()}});
}

bool DiskThreads::submit() {
    if (noted_.empty()) return true;
    {
        MutexLock lock(shared_->mutex);
        for (Job& job : noted_) shared_->jobs.push_back(std::move(job));
    }
    noted_.clear();
    shared_->work.notify_all();
    return true;
}

std::optional<DiskIo::Ended> DiskThreads::reap() {
    MutexLock lock(shared_->mutex);
    if (shared_->ended.empty()) return std::nullopt;
    const Ended ended = shared_->ended.front();
    shared_->ended.pop_front();
    --under_way_;
    return ended;
}

}  // namespace carrel
