// ConsoleHistory: the last 64 KiB of a guest's console, for who comes later or asks what happened last.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "vmm/base/byte_sink.h"
#include "vmm/base/mutex.h"

namespace carrel {

// Positions count the bytes since the beginning of the console. Whoever attaches starts at begin() and reads
// on from where it stopped; what it misses because it was too slow it can tell from the position that comes
// back. write() never allocates. Any thread.
class ConsoleHistory final : public ByteSink {
  public:
    static constexpr size_t kSize = 64 * 1024;

    void write(std::span<const std::byte> bytes) override EXCLUDES(mutex_);

    struct Piece {
        uint64_t position = 0;  // of the first byte; more than was asked for when older bytes are gone
        size_t size = 0;
    };
    // Copies what there is from `position` on into `into`.
    Piece read(uint64_t position, std::span<std::byte> into) const EXCLUDES(mutex_);
    uint64_t begin() const EXCLUDES(mutex_);  // of the oldest byte that is kept
    uint64_t end() const EXCLUDES(mutex_);    // of the next byte to come

    // The last `count` lines, without '\r'; a line that isn't ended yet counts.
    std::string last_lines(size_t count) const EXCLUDES(mutex_);

  private:
    uint64_t oldest() const REQUIRES(mutex_) { return end_ < kSize ? 0 : end_ - kSize; }
    void copy_out(uint64_t position, std::span<std::byte> into) const REQUIRES(mutex_);

    mutable Mutex mutex_;
    // Byte `p` of the console lies at p % kSize. Memory is touched as output comes.
    const std::unique_ptr<std::byte[]> bytes_ GUARDED_BY(mutex_) =
        std::make_unique_for_overwrite<std::byte[]>(kSize);
    uint64_t end_ GUARDED_BY(mutex_) = 0;
};

}  // namespace carrel
