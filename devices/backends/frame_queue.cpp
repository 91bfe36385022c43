#include "devices/backends/frame_queue.h"

#include <cstring>

#include "vmm/base/check.h"

namespace carrel {
namespace {
constexpr size_t kPrefix = sizeof(uint32_t);
}

uint32_t FrameQueue::length_at(size_t at) const {
    uint32_t length = 0;
    std::memcpy(&length, ring_.data() + at, kPrefix);
    return length;
}

void FrameQueue::set_length(size_t at, uint32_t length) {
    std::memcpy(ring_.data() + at, &length, kPrefix);
}

// Where so many bytes in one piece go. Behind each frame there is room for one more prefix: the 0.
std::optional<size_t> FrameQueue::place_for(size_t needed) {
    if (empty()) begin_ = end_ = 0;
    if (end_ < begin_) return begin_ - end_ > needed + kPrefix ? std::optional(end_) : std::nullopt;
    if (ring_.size() - end_ > needed + kPrefix) return end_;
    return begin_ > needed + kPrefix ? std::optional<size_t>(0) : std::nullopt;
}

bool FrameQueue::push(std::span<const iovec> frame, size_t length) {
    const auto place = place_for(kPrefix + length);
    if (!place) return false;
    if (*place != end_) set_length(end_, 0);
    set_length(*place, static_cast<uint32_t>(length));
    size_t at = *place + kPrefix;
    for (const iovec& piece : frame) {
        std::memcpy(ring_.data() + at, piece.iov_base, piece.iov_len);
        at += piece.iov_len;
    }
    CHECK(at == *place + kPrefix + length);
    end_ = at;
    return true;
}

std::span<const std::byte> FrameQueue::front() const {
    CHECK(!empty());
    return ring_.subspan(begin_ + kPrefix, length_at(begin_));
}

void FrameQueue::pop() {
    CHECK(!empty());
    begin_ += kPrefix + length_at(begin_);
    if (begin_ != end_ && length_at(begin_) == 0) begin_ = 0;
}

}  // namespace carrel
