// ConsoleBuffer: a bounded queue of console output that loses its middle, never its end.
//
//        delivered <- | head, 128 KiB | ... dropped, only counted ... | tail, 128 KiB | <- written
//
// Bytes fill the head, then the tail. When both are full the oldest bytes of the tail go: what was on its way
// out stays whole, and so do the last 128 KiB. When the head has been delivered, one line tells how many
// bytes are missing, and the tail becomes the head.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace carrel {

// Not for several threads: ConsoleOutput locks. push() neither allocates nor moves what front() returned, so
// that a reader may use the span while bytes are added.
class ConsoleBuffer {
  public:
    static constexpr size_t kHalf = 128 * 1024;

    void push(std::span<const std::byte> bytes);

    // What comes next, in one piece, the line about dropped bytes among it; empty when there is nothing.
    // Valid until the next call of front(), pop(), keep_last() or clear().
    std::span<const std::byte> front();
    void pop(size_t count);  // at most front().size()

    // Drops all but the last `count` bytes (fewer may be left: never across a gap that is there already).
    void keep_last(size_t count);
    void clear();

    bool empty() const { return notice_left_ == 0 && pending() == 0 && gap_ == 0; }
    size_t pending() const { return head_.size() + tail_.size(); }
    // written = delivered + dropped + pending. The lines about dropped bytes count nowhere.
    uint64_t written() const { return written_; }
    uint64_t delivered() const { return delivered_; }
    uint64_t dropped() const { return written_ - delivered_ - pending(); }

  private:
    // Memory is touched only as far as it is used: an emptied ring starts again at its beginning.
    class Ring {
      public:
        size_t size() const { return size_; }
        size_t room() const { return kHalf - size_; }
        void append(std::span<const std::byte> bytes);  // at most room()
        std::span<const std::byte> first_piece() const;
        void drop_front(size_t count);

      private:
        std::unique_ptr<std::byte[]> bytes_ = std::make_unique_for_overwrite<std::byte[]>(kHalf);
        size_t start_ = 0;
        size_t size_ = 0;
    };

    void push_to_tail(std::span<const std::byte> bytes);
    void tail_becomes_head();

    Ring head_;
    Ring tail_;
    uint64_t gap_ = 0;  // bytes dropped between head_ and tail_
    std::array<char, 80> notice_{};
    size_t notice_size_ = 0;
    size_t notice_left_ = 0;
    uint64_t written_ = 0;
    uint64_t delivered_ = 0;
};

}  // namespace carrel
