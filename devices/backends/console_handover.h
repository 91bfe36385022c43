// ConsoleHandover: two consoles of one guest on one terminal, each line once. The first is there from the
// kernel's first line (UARTs), the second comes up later and takes over (a virtio console).
//
//   first  ──────────────┐ shown until the second one says something
//   second ──────────────┴──► shown from there on, without what it repeats
//
// A kernel prints to all consoles that it has, so once both are up the first one's output is left out. When
// the second comes it also prints again, from the beginning, what it has logged before, unless the first was
// an early console (console=ttyS0 console=hvc0 does it, earlycon= and console=hvc0 doesn't). So what the
// second one says is held against what the first one said, line by line, and left out as long as it is the
// same.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "vmm/base/byte_sink.h"
#include "vmm/base/mutex.h"

namespace carrel {

// Any thread; allocates nothing when written to.
class ConsoleHandover {
  public:
    static constexpr size_t kRemembered = 128 * 1024;  // of the first; as large as a kernel's log

    // `target` outlives it.
    explicit ConsoleHandover(ByteSink& target) : target_(target) {}

    ByteSink& first() { return first_; }
    ByteSink& second() { return second_; }

  private:
    class First final : public ByteSink {
      public:
        explicit First(ConsoleHandover& to) : to_(to) {}
        void write(std::span<const std::byte> bytes) override { to_.write_first(bytes); }

      private:
        ConsoleHandover& to_;
    };
    class Second final : public ByteSink {
      public:
        explicit Second(ConsoleHandover& to) : to_(to) {}
        void write(std::span<const std::byte> bytes) override { to_.write_second(bytes); }

      private:
        ConsoleHandover& to_;
    };
    enum class Stage { kFirstOnly, kComparing, kSecondOnly };

    void write_first(std::span<const std::byte> bytes) EXCLUDES(mutex_);
    void write_second(std::span<const std::byte> bytes) EXCLUDES(mutex_);
    size_t leave_out(std::span<const std::byte> bytes) REQUIRES(mutex_);
    void end_comparing() REQUIRES(mutex_);

    ByteSink& target_;
    First first_{*this};
    Second second_{*this};
    Mutex mutex_;
    Stage stage_ GUARDED_BY(mutex_) = Stage::kFirstOnly;
    // What the first has said. Memory is touched as far as it is used.
    std::unique_ptr<std::byte[]> said_ GUARDED_BY(mutex_) =
        std::make_unique_for_overwrite<std::byte[]>(kRemembered);
    size_t size_ GUARDED_BY(mutex_) = 0;
    size_t same_ GUARDED_BY(mutex_) = 0;  // so much of it the second has said again
    size_t line_ GUARDED_BY(mutex_) = 0;  // where the line begins that same_ is in
};

}  // namespace carrel
