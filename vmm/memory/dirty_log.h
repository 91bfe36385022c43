// DirtyLog: which pages of guest memory we have written, a bit each. (What the guest itself writes, KVM
// logs.)
#pragma once

#include <atomic>
#include <cstdint>

#include "vmm/base/mapping.h"
#include "vmm/base/result.h"

namespace carrel {

// mark() and take() in any thread. While it is off, mark() costs one load.
class DirtyLog {
  public:
    explicit DirtyLog(uint64_t pages) : pages_(pages) {}
    DirtyLog(const DirtyLog&) = delete;
    DirtyLog& operator=(const DirtyLog&) = delete;

    // Nothing is marked then. One thread at a time, and while nobody writes (a quiesce): a write that
    // overlaps it may or may not be seen.
    Result<void> start();
    void stop() { bits_.store(nullptr, std::memory_order_release); }
    bool on() const { return bits_.load(std::memory_order_relaxed) != nullptr; }

    // After the write of these bytes, offsets in guest memory.
    void mark(uint64_t offset, uint64_t length) {
        if (on() && length != 0) mark_pages(offset, length);
    }
    // Whether these 64 pages, from number 64 * `word`, are marked, the lowest in bit 0; of `mask` only. They
    // aren't any more then: what is written from now on is marked again.
    uint64_t take(uint64_t word, uint64_t mask);

  private:
    using Word = std::atomic<uint64_t>;
    void mark_pages(uint64_t offset, uint64_t length);

    const uint64_t pages_;
    Mapping room_;                      // made by the first start(), and kept: somebody may be marking
    std::atomic<Word*> bits_{nullptr};  // in it; null: off
};

}  // namespace carrel
