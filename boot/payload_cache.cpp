#include "boot/payload_cache.h"

#include <algorithm>
#include <numeric>

namespace carrel::boot {

PayloadCache::Payload PayloadCache::find(const FileIdentity& file) {
    const MutexLock lock(mutex_);
    const auto entry =
        std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.file == file; });
    if (entry == entries_.end()) return nullptr;
    entries_.splice(entries_.begin(), entries_, entry);
    return entry->payload;
}

void PayloadCache::insert(const FileIdentity& file, Payload payload) {
    const MutexLock lock(mutex_);
    if (payload->size() > limit_) return;
    // The same place in the file system holds another kernel now, or two loads raced.
    entries_.remove_if(
        [&](const Entry& e) { return e.file.device == file.device && e.file.inode == file.inode; });
    entries_.push_front({file, std::move(payload)});
    while (size_locked() > limit_) entries_.pop_back();
}

void PayloadCache::drop_all() {
    const MutexLock lock(mutex_);
    entries_.clear();
}

uint64_t PayloadCache::size() const {
    const MutexLock lock(mutex_);
    return size_locked();
}

uint64_t PayloadCache::size_locked() const {
    return std::accumulate(entries_.begin(), entries_.end(), uint64_t{0},
                           [](uint64_t sum, const Entry& entry) { return sum + entry.payload->size(); });
}

}  // namespace carrel::boot
