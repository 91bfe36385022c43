// ConsoleTranscript: what a guest of many says, kept for whoever attaches to its console.
//
// An attached reader that has read all is told when more comes, and not again before it has read that: a boot
// log costs it a wake-up a batch, not a byte.
#pragma once

#include <memory>
#include <vector>

#include "devices/backends/console_history.h"
#include "vmm/base/byte_sink.h"
#include "vmm/base/mutex.h"

namespace carrel {

// Told on a vCPU thread: only wakes, never waits.
class ConsoleWatcher {
  public:
    virtual ~ConsoleWatcher() = default;
    virtual void on_output() = 0;
};

// Any thread. Outlives its guest while somebody reads it.
class ConsoleTranscript final : public ByteSink {
  public:
    ConsoleTranscript() = default;
    // Of a console that another process writes, or reads.
    explicit ConsoleTranscript(std::shared_ptr<ConsoleRing> ring) : history_(std::move(ring)) {}

    void write(std::span<const std::byte> bytes) override EXCLUDES(mutex_);

    // A watcher is told from its first read() on; after unwatch() never again.
    void watch(ConsoleWatcher& watcher) EXCLUDES(mutex_);
    void unwatch(ConsoleWatcher& watcher) EXCLUDES(mutex_);
    // Whoever waits for more is told. For who writes elsewhere.
    void tell() EXCLUDES(mutex_);
    // As ConsoleHistory's.
    ConsoleHistory::Piece read(uint64_t position, std::span<std::byte> into);
    uint64_t begin() const { return history_.begin(); }

  private:
    ConsoleHistory history_;
    Mutex mutex_;
    std::vector<ConsoleWatcher*> watchers_ GUARDED_BY(mutex_);
};

}  // namespace carrel
