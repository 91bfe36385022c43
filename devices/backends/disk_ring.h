// DiskRing: reads, writes and syncs of one file that the kernel does by itself (io_uring), straight into
// guest memory.
//
// The file is registered, its buffers never are: that would pin guest memory. The ring is restricted to the
// operations that it needs before it is switched on, so that nothing else can be asked of the kernel through
// it.
#pragma once

#include <liburing.h>
#include <sys/uio.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "vmm/base/clock.h"
#include "vmm/base/fd.h"
#include "vmm/base/result.h"

namespace carrel {

// One thread at a time.
class DiskRing {
  public:
    // What lies in memory is copied by whoever asks for it, and a guest may ask for 4 GiB at a time: beyond
    // this a worker of the kernel's does it, so that our thread serves others meanwhile.
    static constexpr size_t kMostCopied = size_t{1} << 20;

    // At most `entries` operations under way. `file` outlives the ring.
    static Result<std::unique_ptr<DiskRing>> create(int file, unsigned entries);
    DiskRing() = default;  // use create()
    ~DiskRing();
    DiskRing(const DiskRing&) = delete;
    DiskRing& operator=(const DiskRing&) = delete;

    // Each needs room(). `pieces` must stay where they are until submit(), what they point to until the
    // operation ends.
    void read(std::span<const iovec> pieces, uint64_t offset, uint64_t tag);
    // `durable`: on the medium when it ends, as FUA has it.
    void write(std::span<const iovec> pieces, uint64_t offset, bool durable, uint64_t tag);
    void sync(uint64_t tag);
    // One system call for all of them. False: the kernel has no memory for some now, and wants to be asked
    // again.
    bool submit();
    bool room() const { return under_way_ < entries_; }
    unsigned under_way() const { return under_way_; }

    // An eventfd: one is added to it when something has ended. Others may add to it, too; a read of it waits.
    int event_fd() const { return event_.get(); }
    // One that has ended; nothing where none has.
    struct Ended {
        uint64_t tag;
        int32_t result;  // bytes, or -errno
    };
    std::optional<Ended> reap();
    // Until something has ended; false after `limit`.
    bool wait(Nanoseconds limit);

  private:
    io_uring_sqe& next();

    io_uring ring_{};
    bool open_ = false;
    Fd event_;
    unsigned entries_ = 0;
    unsigned under_way_ = 0;
};

}  // namespace carrel
