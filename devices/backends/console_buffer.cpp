#include "devices/backends/console_buffer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "vmm/base/check.h"

namespace carrel {

void ConsoleBuffer::Ring::append(std::span<const std::byte> bytes) {
    const size_t end = (start_ + size_) % kHalf;
    const size_t before_wrap = std::min(bytes.size(), kHalf - end);
    if (before_wrap != 0) std::memcpy(&bytes_[end], bytes.data(), before_wrap);
    if (before_wrap != bytes.size())
        std::memcpy(&bytes_[0], bytes.data() + before_wrap, bytes.size() - before_wrap);
    size_ += bytes.size();
}

std::span<const std::byte> ConsoleBuffer::Ring::first_piece() const {
    return {&bytes_[start_], std::min(size_, kHalf - start_)};
}

void ConsoleBuffer::Ring::drop_front(size_t count) {
    size_ -= count;
    start_ = size_ == 0 ? 0 : (start_ + count) % kHalf;
}

void ConsoleBuffer::push(std::span<const std::byte> bytes) {
    written_ += bytes.size();
    if (tail_.size() == 0 && gap_ == 0) {
        const size_t to_head = std::min(bytes.size(), head_.room());
        head_.append(bytes.first(to_head));
        bytes = bytes.subspan(to_head);
    }
    if (!bytes.empty()) push_to_tail(bytes);
}

void ConsoleBuffer::push_to_tail(std::span<const std::byte> bytes) {
    if (bytes.size() > kHalf) {
        gap_ += bytes.size() - kHalf;
        bytes = bytes.last(kHalf);
    }
    if (bytes.size() > tail_.room()) {
        const size_t lost = bytes.size() - tail_.room();
        gap_ += lost;
        tail_.drop_front(lost);
    }
    tail_.append(bytes);
}

void ConsoleBuffer::tail_becomes_head() {
    std::swap(head_, tail_);
    if (gap_ == 0) return;
    const auto end = fmt::format_to_n(notice_.data(), notice_.size(),
                                      "\r\n[carrel: {} bytes of console output dropped]\r\n", gap_);
    notice_size_ = notice_left_ = std::min(end.size, notice_.size());
    gap_ = 0;
}

std::span<const std::byte> ConsoleBuffer::front() {
    if (notice_left_ == 0 && head_.size() == 0) tail_becomes_head();
    if (notice_left_ != 0) {
        return std::as_bytes(std::span(notice_)).subspan(notice_size_ - notice_left_, notice_left_);
    }
    return head_.first_piece();
}

void ConsoleBuffer::pop(size_t count) {
    if (notice_left_ != 0) {
        CHECK(count <= notice_left_);
        notice_left_ -= count;
        return;
    }
    CHECK(count <= head_.size());
    head_.drop_front(count);
    delivered_ += count;
}

void ConsoleBuffer::keep_last(size_t count) {
    if (gap_ != 0) count = std::min(count, tail_.size());
    count = std::min(count, kHalf);
    if (count >= pending()) return;
    std::vector<std::byte> kept;
    for (Ring* ring : {&head_, &tail_}) {
        while (ring->size() != 0) {
            const auto piece = ring->first_piece();
            kept.insert(kept.end(), piece.begin(), piece.end());
            ring->drop_front(piece.size());
        }
    }
    gap_ += kept.size() - count;
    tail_.append(std::span<const std::byte>(kept).last(count));
}

void ConsoleBuffer::clear() {
    head_.drop_front(head_.size());
    tail_.drop_front(tail_.size());
    gap_ = 0;
    notice_left_ = 0;
}

}  // namespace carrel
