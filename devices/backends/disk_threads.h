// DiskThreads: a DiskIo by a few threads and plain system calls, for hosts whose kernel has no io_uring or
// refuses it (seccomp, kernel.io_uring_disabled). Slower: two thread switches a request.
#pragma once

#include <sys/uio.h>

#include <deque>
#include <vector>

#include "devices/backends/disk_io.h"
#include "vmm/base/fd.h"
#include "vmm/base/mutex.h"
#include "vmm/base/thread.h"

namespace carrel {

class DiskThreads final : public DiskIo {
  public:
    static Result<std::unique_ptr<DiskThreads>> create(std::span<const int> files, unsigned entries,
                                                       std::shared_ptr<ChargeSink> charge = nullptr);
    explicit DiskThreads(unsigned entries) : entries_(entries) {}  // use create()
    // A thread whose call doesn't come back (a dead file server) is left to itself: it touches nothing but
    // what the operation named, and ends after it.
    ~DiskThreads() override;
    DiskThreads(const DiskThreads&) = delete;
    DiskThreads& operator=(const DiskThreads&) = delete;

    void start(const DiskOperation& operation) override;
    bool submit() override;
    bool room() const override { return under_way_ < entries_; }
    unsigned under_way() const override { return under_way_; }
    int event_fd() const override { return shared_->event.get(); }
    std::optional<Ended> reap() override;

  private:
    static constexpr unsigned kThreads = 4;
    struct Job {
        DiskOperation operation;
        std::vector<iovec> pieces;  // the caller's may go after submit()
    };
    // What a thread that was left to itself still needs.
    struct Shared {
        Mutex mutex;
        Condition work;
        std::deque<Job> jobs GUARDED_BY(mutex);
        std::deque<Ended> ended GUARDED_BY(mutex);
        unsigned busy GUARDED_BY(mutex) = 0;
        bool stop GUARDED_BY(mutex) = false;
        std::vector<int> files;
        Fd event;
        std::shared_ptr<ChargeSink> charge;  // of the guest; null: nobody's
    };
    static void serve(const std::shared_ptr<Shared>& shared);

    const unsigned entries_;
    unsigned under_way_ = 0;
    std::vector<Job> noted_;  // until submit()
    std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
    std::vector<Thread> threads_;
};

}  // namespace carrel
