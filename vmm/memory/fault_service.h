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
//
// With a swap file the quota is seldom used up: the thread "swap" sees to it that something is left, by
// moving a chunk aside and writing its pages away (fault_swap.cpp). A fault on such a page is answered with
// its content, read in the fault where the file's bytes are in the host's page cache; else the thread "swap"
// reads it, and who wanted to write is denied until then. Who wanted to read may be KVM walking the guest's
// page tables, which would take a denial for a page that isn't there, and tell the guest so (KVM-FACTS.md):
// such a fault stays open until the page is read, or can't be.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "vmm/base/clock.h"
#include "vmm/base/fd.h"
#include "vmm/base/mutex.h"
#include "vmm/base/thread.h"
#include "vmm/memory/chunk_mapping.h"
#include "vmm/memory/chunk_table.h"
#include "vmm/memory/memory_account.h"
#include "vmm/memory/swap_file.h"
#include "vmm/memory/swap_index.h"

namespace carrel {

// Told by any thread, one at a time; may ask the service for its report(). Only notes and wakes, never waits.
class MemoryListener {
  public:
    virtual ~MemoryListener() = default;
    virtual void on_memory_near() = 0;    // seven eighths of the quota are in use
    virtual void on_memory_short() = 0;   // something has been denied for a while
    virtual void on_memory_stuck() = 0;   // and nothing that we can do will change that: report() tells why
    virtual void on_memory_given() = 0;   // what was denied can be touched again: vCPUs, try
    virtual void on_memory_retry() = 0;   // the same for who was refused by acquire()
    virtual void on_memory_enough() = 0;  // after on_memory_short(): nothing is denied any more
};

// In bytes, but for the last two numbers.
struct SwapReport {
    uint64_t size = 0;           // of the file, at most
    uint64_t used = 0;           // of it
    uint64_t swapped = 0;        // of the guest's memory
    uint64_t ins = 0, outs = 0;  // pages that came and went
    std::string trouble;         // why nothing comes or goes now; else empty
};

// In bytes.
struct MemoryReport {
    uint64_t limit = 0;
    uint64_t charged = 0;
    uint64_t peak = 0;
    uint64_t denials = 0;            // faults that were refused
    bool near = false;               // seven eighths have been in use, and still three quarters are
    bool held = false;               // between on_memory_short() and on_memory_enough()
    bool stuck = false;              // between on_memory_stuck() and on_memory_enough()
    std::optional<SwapReport> swap;  // none: it has no file
};

// Any thread.
class FaultService {
  public:
    // Why KVM_RUN failed with EFAULT.
    enum class Refusal : uint8_t { kNotOurs, kDenied, kOver };

    // `clock` and `listener` outlive it. `limit`: bytes, whole pages. Without a file nothing is swapped.
    static Result<std::unique_ptr<FaultService>> start(ChunkMapping mapping, uint64_t limit,
                                                       std::optional<SwapFile> file, const Clock& clock,
                                                       MemoryListener& listener);
    FaultService(ChunkMapping mapping, Fd bell, uint64_t limit, std::optional<SwapFile> file,
                 const Clock& clock, MemoryListener& listener);  // use start()
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
    enum Note : uint8_t { kNear = 1, kHeld = 2, kGiven = 4, kRetry = 8 };  // kHeld: held_ or stuck_ changed
    // Pages that only faults for reading may use. Under shadow paging KVM reads the guest's page tables
    // itself, and where it is denied that, the guest may get a page fault which isn't its own (KVM-FACTS.md);
    // what they are can't be told from the message, but walking them reads, and other reads of what nobody
    // wrote are few.
    static constexpr uint64_t kReserve = 64;
    // One page, or all of the chunk.
    struct Denial {
        size_t chunk;
        std::optional<uint64_t> page;
    };
    void run() EXCLUDES(mutex_);
    void answer_all() EXCLUDES(mutex_);
    void look_at_time() EXCLUDES(mutex_);
    int timeout_ms() const EXCLUDES(mutex_);
    void tell() EXCLUDES(mutex_, telling_);

    // What became of a page that is to be there.
    enum class Brought : uint8_t { kThere, kNoRoom, kNotYet };  // kNotYet: the file's disk is to be asked
    void answer(const MissingPage& missing) REQUIRES(mutex_);
    Brought bring(size_t chunk, uint64_t page, uint64_t spare) REQUIRES(mutex_);
    bool is_untouched(size_t chunk) const REQUIRES(mutex_);
    bool charge(uint64_t pages, uint64_t spare) REQUIRES(mutex_);
    bool give_chunk(size_t chunk) REQUIRES(mutex_);
    bool give_page(size_t chunk, uint64_t page, uint64_t spare) REQUIRES(mutex_);
    void deny(size_t chunk, uint64_t page) REQUIRES(mutex_);
    bool denied(size_t chunk, uint64_t page) const REQUIRES(mutex_);
    void forget_denials(size_t chunk) REQUIRES(mutex_);
    void allow_all() REQUIRES(mutex_);
    void fall_short() REQUIRES(mutex_);
    void look_if_over() REQUIRES(mutex_);
    void ring() const;

    // fault_swap.cpp, all of it
    struct Wanted {
        size_t chunk;
        uint64_t page;
    };
    void run_swap() EXCLUDES(mutex_);
    void stop_swap() EXCLUDES(mutex_);
    void rest() EXCLUDES(mutex_);
    bool fetch_one() EXCLUDES(mutex_);
    bool evict_one() EXCLUDES(mutex_);
    std::optional<std::span<const std::byte>> start_leaving() EXCLUDES(mutex_);
    std::optional<std::span<const std::byte>> set_aside(size_t chunk) REQUIRES(mutex_);
    bool write_some(std::span<const std::byte> aside, uint64_t first) EXCLUDES(mutex_);
    std::optional<SwapPlace> write_page(std::span<const std::byte, kPageSize> page) EXCLUDES(mutex_);
    bool is_leaving(uint64_t page) const EXCLUDES(mutex_);
    uint64_t has_gone(uint64_t page, const std::optional<SwapPlace>& place, bool zeros) REQUIRES(mutex_);
    void finish_leaving() EXCLUDES(mutex_);
    void came_from_disk(const Wanted& wanted, const SwapPlace& place, const PageBytes& content)
        REQUIRES(mutex_);
    bool swaps() const REQUIRES(mutex_) { return index_.has_value(); }
    bool wants_room() const REQUIRES(mutex_);
    bool may_wait(Brought brought) const REQUIRES(mutex_);
    bool is_stuck() const REQUIRES(mutex_);
    void wait_open(const MissingPage& missing) REQUIRES(mutex_);
    void answer_open() REQUIRES(mutex_);
    void want_fetched(size_t chunk, uint64_t page) REQUIRES(mutex_);
    Brought fetch(size_t chunk, uint64_t page, uint64_t spare) REQUIRES(mutex_);
    void fetch_neighbours(size_t chunk, uint64_t page) REQUIRES(mutex_);
    bool put_fetched(size_t chunk, uint64_t page) REQUIRES(mutex_);
    bool is_aside(size_t chunk, uint64_t page) const REQUIRES(mutex_);
    bool bring_back(uint64_t page) REQUIRES(mutex_);
    void drop_swapped(size_t chunk, uint64_t first, uint64_t count) REQUIRES(mutex_);
    void lift_denials(size_t chunk) REQUIRES(mutex_);
    void set_trouble(std::string& of, std::string why) REQUIRES(mutex_);

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

    Mutex telling_;  // before the other one
    bool told_held_ GUARDED_BY(telling_) = false;
    bool told_stuck_ GUARDED_BY(telling_) = false;
    mutable Mutex mutex_;
    ChunkMapping mapping_ GUARDED_BY(mutex_);
    ChunkTable table_ GUARDED_BY(mutex_);
    MemoryAccount account_ GUARDED_BY(mutex_);
    std::vector<Denial> denials_ GUARDED_BY(mutex_);
    bool refused_ GUARDED_BY(mutex_) = false;  // acquire() said no
    std::optional<Nanoseconds> short_since_ GUARDED_BY(mutex_);
    bool held_ GUARDED_BY(mutex_) = false;
    bool stuck_ GUARDED_BY(mutex_) = false;
    bool near_ GUARDED_BY(mutex_) = false;
    unsigned notes_ GUARDED_BY(mutex_) = 0;
    uint64_t changes_ GUARDED_BY(mutex_) = 1;  // of denials_, any
    uint64_t denied_ever_ GUARDED_BY(mutex_) = 0;

    const std::optional<SwapFile> file_;
    std::optional<SwapIndex> index_ GUARDED_BY(mutex_);
    // The chunk that is LEAVING, and which of its pages are aside and not written yet.
    struct Leaving {
        size_t chunk;
        std::bitset<kChunkPages> aside;
    };
    std::optional<Leaving> leaving_ GUARDED_BY(mutex_);
    std::vector<Wanted> fetches_ GUARDED_BY(mutex_);    // for the thread "swap"
    std::vector<MissingPage> open_ GUARDED_BY(mutex_);  // faults for reading that aren't answered yet
    PageBytes page_ GUARDED_BY(mutex_);                 // on its way
    uint64_t wanted_ GUARDED_BY(mutex_) = 0;            // pages that acquire() was short of
    std::string out_trouble_ GUARDED_BY(mutex_);        // why nothing can leave; else empty
    std::string in_trouble_ GUARDED_BY(mutex_);         // why nothing can come back
    uint64_t ins_ GUARDED_BY(mutex_) = 0, outs_ GUARDED_BY(mutex_) = 0;
    Condition work_;  // for the thread "swap"
    Thread swap_thread_;
    Thread thread_;
};

}  // namespace carrel
