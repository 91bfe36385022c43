// FrameQueue: frames that wait for their reader, in a ring of bytes.
//
//   | len | frame | len | frame |  (free)  | len | frame | 0 |    0: the next one begins at the front
//                 ^ end                    ^ begin
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

namespace carrel {

// Bounded, in order. One thread at a time; allocates at its creation only.
class FrameQueue {
  public:
    explicit FrameQueue(size_t capacity)
        : bytes_(std::make_unique_for_overwrite<std::byte[]>(capacity)), ring_(bytes_.get(), capacity) {}

    // False: there is no room, and nothing has changed.
    bool push(std::span<const iovec> frame, size_t length);
    bool empty() const { return begin_ == end_; }
    // There is one. Until the next call of another.
    std::span<const std::byte> front() const;
    void pop();

  private:
    std::optional<size_t> place_for(size_t needed);
    uint32_t length_at(size_t at) const;
    void set_length(size_t at, uint32_t length);

    // Not zeroed: what was never used takes no memory.
    const std::unique_ptr<std::byte[]> bytes_;
    const std::span<std::byte> ring_;
    size_t begin_ = 0, end_ = 0;  // equal: empty, so one byte at least stays free
};

}  // namespace carrel
