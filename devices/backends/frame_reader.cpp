#include "devices/backends/frame_reader.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "vmm/base/check.h"

namespace carrel {
namespace {

uint32_t big_endian(std::span<const std::byte, kFrameLengthBytes> bytes) {
    uint32_t value = 0;
    for (const std::byte byte : bytes) value = (value << 8) | static_cast<uint32_t>(byte);
    return value;
}

}  // namespace

std::optional<std::span<const std::byte>> FrameReader::front() const {
    if (length_ == 0 || filled() < kFrameLengthBytes + length_) return std::nullopt;
    return buffer().subspan(begin_ + kFrameLengthBytes, length_);
}

void FrameReader::pop() {
    CHECK(front().has_value());
    begin_ += kFrameLengthBytes + length_;
    length_ = 0;
    look_at_front();
}

std::span<std::byte> FrameReader::space() {
    const size_t left = kBufferSize - begin_;
    // What is there of the next frame moves only when the rest of it wouldn't fit behind.
    if (begin_ == end_ || left < kFrameLengthBytes + kLongestFrame) {
        std::memmove(bytes_.get(), bytes_.get() + begin_, filled());
        end_ = filled();
        begin_ = 0;
    }
    return buffer().subspan(end_);
}

void FrameReader::added(size_t count) {
    CHECK(count <= kBufferSize - end_);
    end_ += count;
    look_at_front();
}

void FrameReader::clear() {
    begin_ = end_ = 0;
    length_ = 0;
    corrupt_ = false;
}

void FrameReader::look_at_front() {
    if (length_ != 0 || corrupt_ || filled() < kFrameLengthBytes) return;
    const uint32_t length = big_endian(buffer().subspan(begin_).first<kFrameLengthBytes>());
    corrupt_ = length < kShortestFrame || length > kLongestFrame;
    if (!corrupt_) length_ = length;
}

}  // namespace carrel
