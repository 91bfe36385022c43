// PayloadCache: unpacked kernels, kept for further guests of the same process.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <span>

#include "boot/kernel_image.h"
#include "vmm/base/mapping.h"
#include "vmm/base/mutex.h"

namespace carrel::boot {

// Any thread. What was found stays valid as long as its pointer is kept, whatever is dropped meanwhile.
class PayloadCache {
  public:
    using Payload = std::shared_ptr<const Mapping>;

    // Keeps at most `limit` bytes; what was used longest ago goes first.
    explicit PayloadCache(uint64_t limit) : limit_(limit) {}

    Payload find(const FileIdentity& file);  // null: not kept
    // Not kept where it alone is over the limit.
    void insert(const FileIdentity& file, Payload payload);
    void drop_all();
    uint64_t size() const;  // bytes kept

  private:
    struct Entry {
        FileIdentity file;
        Payload payload;
    };
    uint64_t size_locked() const REQUIRES(mutex_);

    const uint64_t limit_;
    mutable Mutex mutex_;
    std::list<Entry> entries_ GUARDED_BY(mutex_);  // the last used first
};

}  // namespace carrel::boot
