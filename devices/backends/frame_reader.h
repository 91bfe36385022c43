// FrameReader: Ethernet frames out of a stream in which each follows its length (4 bytes, big-endian): what
// passt says on its socket, and QEMU's `-netdev stream` too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "devices/backends/ethernet.h"

namespace carrel {

inline constexpr size_t kFrameLengthBytes = 4;

// Bounded: one buffer, which takes many frames by one system call. One thread at a time.
class FrameReader {
  public:
    FrameReader() : bytes_(std::make_unique_for_overwrite<std::byte[]>(kBufferSize)) {}

    // The frame at the front; nothing where it isn't all there, or corrupt(). Until the next call of another.
    std::optional<std::span<const std::byte>> front() const;
    void pop();  // there is one
    // The length at the front can't be: from here on, the stream means nothing.
    bool corrupt() const { return corrupt_; }

    // Where to read more to: not empty while front() is nothing. Then how much was read.
    std::span<std::byte> space();
    void added(size_t count);
    void clear();

  private:
    static constexpr size_t kBufferSize = size_t{256} * 1024;
    static_assert(kBufferSize >= 2 * (kFrameLengthBytes + kLongestFrame));

    size_t filled() const { return end_ - begin_; }
    void look_at_front();

    std::span<std::byte> buffer() const { return {bytes_.get(), kBufferSize}; }

    const std::unique_ptr<std::byte[]> bytes_;
    size_t begin_ = 0, end_ = 0;  // what has been read and not been taken
    uint32_t length_ = 0;         // of the frame at the front; 0: not known yet
    bool corrupt_ = false;
};

}  // namespace carrel
