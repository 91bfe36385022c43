// GuestMemory: the guest's RAM, and the one door to it (DESIGN.md section 10).
#pragma once

#include <atomic>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "vmm/base/clock.h"
#include "vmm/base/mapping.h"
#include "vmm/base/opener.h"
#include "vmm/base/result.h"
#include "vmm/memory/dirty_log.h"
#include "vmm/model/gpa.h"
#include "vmm/model/machine_config.h"
#include "vmm/model/ram_map.h"

namespace carrel {

class FaultService;
class GuestMemory;
class MemoryListener;
class SwapFile;

// The right to read one range of guest RAM: it is there as long as this lives. Move-only.
class ReadWindow {
  public:
    ReadWindow(ReadWindow&& other) noexcept
        : memory_(std::exchange(other.memory_, nullptr)), bytes_(other.bytes_) {}
    ReadWindow& operator=(ReadWindow&&) = delete;
    ReadWindow(const ReadWindow&) = delete;
    ReadWindow& operator=(const ReadWindow&) = delete;
    ~ReadWindow();

    std::span<const std::byte> bytes() const { return bytes_; }
    const std::byte* data() const { return bytes_.data(); }
    size_t size() const { return bytes_.size(); }
    const std::byte& operator[](size_t i) const { return bytes_[i]; }
    auto begin() const { return bytes_.begin(); }
    auto end() const { return bytes_.end(); }
    // The duty to end it goes to the caller, who does that with GuestMemory::finish_read().
    std::span<const std::byte> detach() {
        memory_ = nullptr;
        return bytes_;
    }

  private:
    friend class GuestMemory;
    ReadWindow(const GuestMemory* memory, std::span<const std::byte> bytes)
        : memory_(memory), bytes_(bytes) {}
    const GuestMemory* memory_;
    std::span<const std::byte> bytes_;
};

// The right to write one range of guest RAM. Ends with complete(), which tells how much was written, so that
// dirty tracking sees writes that KVM doesn't (io_uring, readv, our own). Move-only; dropped without
// complete(): nothing was written. Never kept across a quiesce.
class WriteWindow {
  public:
    WriteWindow(WriteWindow&& other) noexcept
        : memory_(std::exchange(other.memory_, nullptr)), bytes_(other.bytes_) {}
    WriteWindow& operator=(WriteWindow&&) = delete;
    WriteWindow(const WriteWindow&) = delete;
    WriteWindow& operator=(const WriteWindow&) = delete;
    ~WriteWindow();

    std::span<std::byte> bytes() const { return bytes_; }
    // The first `written` bytes now hold data. At most once.
    void complete(size_t written);
    // For who keeps many windows open and only their bytes: the duty to end this one goes to the caller, who
    // does it with GuestMemory::finish().
    std::span<std::byte> detach();

  private:
    friend class GuestMemory;
    WriteWindow(GuestMemory* memory, std::span<std::byte> bytes) : memory_(memory), bytes_(bytes) {}
    GuestMemory* memory_;
    std::span<std::byte> bytes_;
};

// Any thread; concurrent with the guest, so bytes may change between two reads: copy once, check the copy.
// All ranges come from a guest or a file: nothing here trusts them, and a range is legal only as a whole
// inside one region. (Regions never touch, RamMap says, so what isn't inside one has a byte that isn't RAM:
// there is nothing to split.) An access that ends exactly at the top of RAM is legal.
class GuestMemory {
  public:
    struct Region {
        Gpa base;
        uint64_t size;
        std::byte* host;
    };

    // Address space for `map`, no page populated. The error says how much was asked for and what the host
    // has.
    static Result<std::unique_ptr<GuestMemory>> create(const RamMap& map, MemoryBacking backing);
    GuestMemory(RamMap map, Mapping mapping, MemoryBacking backing);  // use create()
    ~GuestMemory();
    GuestMemory(const GuestMemory&) = delete;
    GuestMemory& operator=(const GuestMemory&) = delete;

    const std::vector<Region>& regions() const { return regions_; }
    const RamMap& map() const { return map_; }

    // Keeps it within a quota from now on (fault_service.h). Nothing of it has been touched, and it is whole
    // chunks of 2 MiB of anonymous memory. `limit`: bytes. `clock` and `listener` outlive it. What is beyond
    // it goes to `file`, where there is one.
    Result<void> set_quota(Opener& opener, uint64_t limit, std::optional<SwapFile> file, const Clock& clock,
                           MemoryListener& listener);
    FaultService* quota() const { return quota_.get(); }  // null: it has none

    // `length` bytes at `gpa` for reading; nothing where any of them isn't RAM, or the quota has no room
    // (short_of() tells which; MemoryListener::on_memory_retry() when to try again).
    std::optional<ReadWindow> slice(Gpa gpa, uint64_t length) const;
    // The same for writing. A length of 0 gives an empty window where `gpa` is RAM or its very end.
    std::optional<WriteWindow> window(Gpa gpa, uint64_t length);
    // Ends a window whose bytes were detached: complete(), or the dropping of it, by what it had.
    void finish(std::span<std::byte> window, size_t written);
    void finish_read(std::span<const std::byte> window) const {
        if (quota_) [[unlikely]]
            let_go(window);
    }
    // Where a range of RAM is, for who won't touch it.
    std::optional<std::span<std::byte>> place_of(Gpa gpa, uint64_t length) const;
    // Whether slice() or window() said no though it is RAM.
    bool short_of(Gpa gpa, uint64_t length) const { return quota_ && translate(gpa, length) != nullptr; }
    // What a loader says then.
    Error short_error() const;
    // Tells of a write into a window that stays open (a virtqueue's ring). After the write.
    void wrote(std::span<const std::byte> bytes) {
        if (dirty_.on()) mark_dirty(bytes);
    }

    // Which pages have been written through here, for who copies memory while its guest runs. From start to
    // stop; start while nobody writes (a quiesce). take_dirty(): those inside the range, which is whole pages
    // of RAM, in order; each is told once for all that was written until then.
    Result<void> start_dirty_log() { return dirty_.start(); }
    void stop_dirty_log() { dirty_.stop(); }
    std::vector<Gpa> take_dirty(Gpa gpa, uint64_t length);

    // Copies; false (and nothing done) where the range isn't RAM.
    bool read_bytes(Gpa gpa, std::span<std::byte> to) const;
    bool write_bytes(Gpa gpa, std::span<const std::byte> from);
    template <class T>
    std::optional<T> read(Gpa gpa) const {
        static_assert(std::is_trivially_copyable_v<T>);
        T value;
        if (!read_bytes(gpa, std::as_writable_bytes(std::span(&value, 1)))) return std::nullopt;
        return value;
    }
    template <class T>
    bool write(Gpa gpa, const T& value) {
        static_assert(std::is_trivially_copyable_v<T>);
        return write_bytes(gpa, std::as_bytes(std::span(&value, 1)));
    }

    // Takes whole 2 MiB pieces of the range back from the guest, which nobody may be using: they cost nothing
    // until they are touched again, and then read as zeros; where the host can't, nothing changes. (A part of
    // a huge page would free nothing.)
    void discard(Gpa gpa, uint64_t length);
    // The same by the smallest pages that the backing has, for memory that the guest gave up itself. Whatever
    // is in flight to such a page ends well, and is lost. Bytes that went back; nothing where the range isn't
    // RAM.
    std::optional<uint64_t> release(Gpa gpa, uint64_t length);
    uint64_t release(std::span<std::byte> bytes);  // of a window

    // Somebody may write into it after its end, whom nobody can wait for (a dead file server's requests): its
    // RAM is given back then, but its addresses are never used for anything else. Any thread.
    void keep_addresses() { keep_addresses_.store(true, std::memory_order_relaxed); }

    // Whether the host couldn't give a page that was touched (crash_registry::add_guest_memory): its content
    // is gone, and the guest can't go on. The error says what may be short.
    bool lost() const;
    Error lost_error() const;

  private:
    friend class ReadWindow;
    friend class WriteWindow;
    bool acquire(std::span<const std::byte> range) const;
    void let_go(std::span<const std::byte> range) const;
    std::byte* translate(Gpa gpa, uint64_t length) const;
    uint64_t give_back(std::span<std::byte> bytes, uint64_t page);
    void mark_dirty(std::span<const std::byte> bytes);

    RamMap map_;
    MemoryBacking backing_;
    Mapping mapping_;  // all regions, one behind the other
    DirtyLog dirty_;   // by offset in it
    std::vector<Region> regions_;
    std::atomic<bool> keep_addresses_{false};
    std::unique_ptr<FaultService> quota_;  // goes before the mapping
};

inline ReadWindow::~ReadWindow() {
    if (memory_ != nullptr) memory_->finish_read(bytes_);
}
inline WriteWindow::~WriteWindow() {
    if (memory_ != nullptr) memory_->finish_read(bytes_);
}

}  // namespace carrel
