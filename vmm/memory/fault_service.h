// FaultService: keeps a guest's RAM within its quota, whoever touches it. DESIGN.md section 8.
//
// All of the RAM is registered with a userfaultfd: a touch of a page that isn't there comes to the thread
// "fault", which charges first and grants then: a chunk of 2 MiB where the quota has room for one, else the
// page. So what is resident never exceeds what is charged, and that never the quota, not by one page.
//
// Every fault is answered at once, for a vCPU that is kept waiting in one can't always be kicked
// (KVM-FACTS.md, "Guest memory behind userfaultfd"). Where the quota is used up, the answer is to deny:
// nobody can touch the chunk (PROT_NONE), KVM_RUN comes back with EFAULT, and its thread waits outside it
// until memory is given:
//
//   vCPU thread                       thread "fault"                    whoever frees, or raises the limit
//   KVM_RUN ── missing page ────────► charge: no
//                                     PROT_NONE, wake
//   EFAULT ◄─────────────────────────
//   explain(): kDenied                10 ms later, still so:
//   waits in the RunGate              on_memory_short(): hold them all
//                                                                       release, allow what was denied
//   runs again, faults again ◄──────  on_memory_given(), …enough() ◄──
//
// Our own threads never take such a fault: they acquire() what they are going to touch. (Denied memory would
// be a SIGSEGV of ours.)
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "vmm/base/clock.h"
#include "vmm/base/fd.h"
#include "vmm/base/mutex.h"
#include "vmm/base/thread.h"
#include "vmm/memory/chunk_mapping.h"
#include "vmm/memory/chunk_table.h"
#include "vmm/memory/memory_account.h"

namespace carrel {

// Told by any thread, none of the service's locks held; only notes and wakes, never waits.
class MemoryListener {
  public:
    virtual ~MemoryListener() = default;
    virtual void on_memory_near() = 0;    // seven eighths of the quota are in use
    virtual void on_memory_short() = 0;   // something has been denied for a while
    virtual void on_memory_given() = 0;   // what was denied can be touched again: vCPUs, try
    virtual void on_memory_retry() = 0;   // the same for who was refused by acquire()
    virtual void on_memory_enough() = 0;  // after on_memory_short(): nothing is denied any more
};

// In bytes.
struct MemoryReport {
    uint64_t limit = 0;
    uint64_t charged = 0;
    uint64_t peak = 0;
    uint64_t denials = 0;  // faults that were refused
    bool near = false;     // seven eighths have been in use, and still three quarters are
    bool held = false;     // between on_memory_short() and on_memory_enough()
};

// Any thread.
class FaultService {
  public:
    // Why KVM_RUN failed with EFAULT.
    enum class Refusal : uint8_t { kNotOurs, kDenied, kOver };

    // `clock` and `listener` outlive it. `limit`: bytes, whole pages.
    static Result<std::unique_ptr<FaultService>> start(ChunkMapping mapping, uint64_t limit,
                                                       const Clock& clock, MemoryListener& listener);
    FaultService(ChunkMapping mapping, Fd bell, uint64_t limit, const Clock& clock,
                 MemoryListener& listener);  // use start()
    ~FaultService() { stop(); }
    FaultService(const FaultService&) = delete;
    FaultService& operator=(const FaultService&) = delete;
    // No vCPU runs, and nothing of the RAM is touched that isn't acquired.
    void stop();

    // All of the range is there, and stays there and charged, until let_go() of the same; or false: denied,
    // and on_memory_retry() comes when it is worth another try.
    bool acquire(std::span<const std::byte> range) EXCLUDES(mutex_);
    void let_go(std::span<const std::byte> range) EXCLUDES(mutex_);
    // Whole pages go back and are zeros when they are touched again. False: the kernel refused.
    bool discard(std::span<std::byte> range) EXCLUDES(mutex_);

    // For a vCPU's thread whose KVM_RUN failed with EFAULT. `seen` is that thread's own, 0 at first. kDenied:
    // wait for on_memory_given(). kOver: it was denied, and isn't any more. kNotOurs: nothing was denied
    // since it last asked.
    Refusal explain(uint64_t& seen) const EXCLUDES(mutex_);

    // From now on; what is above it already stays until it is given back.
    void set_limit(uint64_t bytes) EXCLUDES(mutex_);
    MemoryReport report() const EXCLUDES(mutex_);

  private:
    enum Note : uint8_t { kNear = 1, kShort = 2, kGiven = 4, kRetry = 8, kEnough = 16 };
    // One page, or all of the chunk.
    struct Denial {
        size_t chunk;
        std::optional<uint64_t> page;
    };
    void run() EXCLUDES(mutex_);
    void answer_all() EXCLUDES(mutex_);
    void look_at_time() EXCLUDES(mutex_);
    int timeout_ms() const EXCLUDES(mutex_);
    void tell(unsigned notes);
    unsigned take_notes() REQUIRES(mutex_);

    void answer(const MissingPage& missing) REQUIRES(mutex_);
    bool charge(uint64_t pages, uint64_t spare) REQUIRES(mutex_);
    bool give_chunk(size_t chunk) REQUIRES(mutex_);
    bool give_page(size_t chunk, uint64_t page, uint64_t spare) REQUIRES(mutex_);
    void deny(size_t chunk, uint64_t page) REQUIRES(mutex_);
    bool denied(size_t chunk, uint64_t page) const REQUIRES(mutex_);
    void forget_denials(size_t chunk) REQUIRES(mutex_);
    void allow_all() REQUIRES(mutex_);
    void fall_short() REQUIRES(mutex_);

    void refuse(size_t first, size_t pinned) REQUIRES(mutex_);
    bool make_present(size_t chunk, uint64_t first, uint64_t count) REQUIRES(mutex_);
    bool discard_pages(size_t chunk, uint64_t first, uint64_t count) REQUIRES(mutex_);
    void settle(size_t chunk) REQUIRES(mutex_);
    void release(uint64_t pages) REQUIRES(mutex_);
    // The part of a range that lies in one chunk.
    struct Part {
        size_t chunk;
        uint64_t first, count;  // pages
    };
    // Cuts the first one off; nothing: the range is empty.
    std::optional<Part> next_part(std::span<const std::byte>& range) const REQUIRES(mutex_);

    const Clock& clock_;
    MemoryListener& listener_;
    Fd bell_;  // eventfd: the time to wait has changed, or stop
    std::atomic<bool> stopping_{false};

    mutable Mutex mutex_;
    ChunkMapping mapping_ GUARDED_BY(mutex_);
    ChunkTable table_ GUARDED_BY(mutex_);
    MemoryAccount account_ GUARDED_BY(mutex_);
    std::vector<Denial> denials_ GUARDED_BY(mutex_);
    bool refused_ GUARDED_BY(mutex_) = false;  // acquire() said no
    std::optional<Nanoseconds> short_since_ GUARDED_BY(mutex_);
    bool held_ GUARDED_BY(mutex_) = false;
    bool near_ GUARDED_BY(mutex_) = false;
    unsigned notes_ GUARDED_BY(mutex_) = 0;
    uint64_t changes_ GUARDED_BY(mutex_) = 1;  // of denials_, any
    uint64_t denied_ever_ GUARDED_BY(mutex_) = 0;
    Thread thread_;
};

}  // namespace carrel
