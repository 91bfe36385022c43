// ConsoleHistory: the last 64 KiB of a guest's console, for who comes later or asks what happened last.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "devices/backends/console_ring.h"
#include "vmm/base/byte_sink.h"
#include "vmm/base/mutex.h"

namespace carrel {

// Positions count the bytes since the beginning of the console. Whoever attaches starts at begin() and reads
// on from where it stopped; what it misses because it was too slow it can tell from the position that comes
// back. write() never allocates. Any thread.
class ConsoleHistory final : public ByteSink {
  public:
    static constexpr size_t kSize = ConsoleRing::kSize;

    ConsoleHistory() : ConsoleHistory(std::make_unique_for_overwrite<ConsoleRing>()) {}
    // On a ring that another process may have, too: one writes, and nothing that the ring says is trusted.
    explicit ConsoleHistory(std::shared_ptr<ConsoleRing> ring) : ring_(std::move(ring)) {}

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

    // Who writes next finds that a reader has read all: true once, after await().
    bool take_awaited() { return ring_->awaited.load() != 0 && ring_->awaited.exchange(0) != 0; }
    void await() { ring_->awaited.store(1); }

  private:
    static uint64_t oldest(uint64_t end) { return end < kSize ? 0 : end - kSize; }
    void copy_out(uint64_t position, std::span<std::byte> into) const REQUIRES(mutex_);

    mutable Mutex mutex_;  // of the ring, in this process
    const std::shared_ptr<ConsoleRing> ring_;
};

}  // namespace carrel
