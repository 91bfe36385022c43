// DiskIo: reads, writes and the like of a few open files that somebody else does while we go on: the kernel
// by itself (DiskRing), or threads where it may not (DiskThreads).
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "vmm/base/charge_sink.h"
#include "vmm/base/result.h"

namespace carrel {

struct DiskOperation {
    enum class Kind : uint8_t {
        kRead,
        kWrite,
        kSync,   // what was written before is on the medium when it ends: fdatasync(2)
        kPunch,  // the range takes no room any more, and reads as zeros
        kZero,   // the range keeps its room, and reads as zeros
    };
    Kind kind = Kind::kRead;
    uint8_t file = 0;               // among those that the DiskIo was made with
    bool durable = false;           // a write that is on the medium when it ends, as FUA has it
    std::span<const iovec> pieces;  // at most IOV_MAX, at most kMostBytes in all
    uint64_t offset = 0;
    uint64_t bytes = 0;  // of the pieces, or of the range
    uint64_t tag = 0;
};

// One thread at a time.
class DiskIo {
  public:
    static constexpr size_t kMostFiles = 2;
    // The kernel moves no more in one call (MAX_RW_COUNT), whole pages.
    static constexpr uint64_t kMostBytes = 0x7fff'f000;
    // What lies in memory is copied by whoever asks for it, and a guest may ask for 4 GiB at a time: beyond
    // this another thread does it, so that ours serves others meanwhile.
    static constexpr uint64_t kMostCopied = uint64_t{1} << 20;

    virtual ~DiskIo() = default;

    // Needs room(). The pieces must stay where they are until submit(), what they point to until the
    // operation ends.
    virtual void start(const DiskOperation& operation) = 0;
    // One system call for all of them. False: the kernel has no memory for some now, and wants to be asked
    // again.
    virtual bool submit() = 0;
    virtual bool room() const = 0;
    virtual unsigned under_way() const = 0;

    // Readable when something has ended.
    virtual int event_fd() const = 0;
    // One that has ended; nothing where none has.
    struct Ended {
        uint64_t tag;
        int32_t result;  // bytes, or -errno
    };
    virtual std::optional<Ended> reap() = 0;
};

// fallocate(2)'s mode for a range; the file keeps its length.
int range_mode(DiskOperation::Kind kind);

// The best that this host has, for at most `entries` operations under way. `files` outlive it. Threads that
// it has charge their CPU time to `charge`; null: to nobody.
Result<std::unique_ptr<DiskIo>> make_disk_io(std::span<const int> files, unsigned entries,
                                             std::shared_ptr<ChargeSink> charge);

}  // namespace carrel
