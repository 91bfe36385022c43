#include "devices/backends/console_history.h"

#include <algorithm>
#include <cstring>

namespace carrel {

void ConsoleHistory::write(std::span<const std::byte> bytes) {
    MutexLock lock(mutex_);
    uint64_t begin = ring_->end.load(std::memory_order_relaxed);
    if (bytes.size() > kSize) {
        begin += bytes.size() - kSize;
        bytes = bytes.last(kSize);
    }
    const uint64_t end = begin + bytes.size();
    ring_->writing.store(end, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_release);  // a reader's, behind its copying
    const size_t start = begin % kSize;
    const size_t before_wrap = std::min(bytes.size(), kSize - start);
    std::copy_n(bytes.begin(), before_wrap, &ring_->bytes[start]);
    std::copy(bytes.begin() + static_cast<ptrdiff_t>(before_wrap), bytes.end(), &ring_->bytes[0]);
    ring_->end.store(end, std::memory_order_release);
}

void ConsoleHistory::copy_out(uint64_t position, std::span<std::byte> into) const {
    const size_t start = position % kSize;
    const size_t before_wrap = std::min(into.size(), kSize - start);
    std::copy_n(&ring_->bytes[start], before_wrap, into.begin());
    std::copy_n(&ring_->bytes[0], into.size() - before_wrap,
                into.begin() + static_cast<ptrdiff_t>(before_wrap));
}

// What was overwritten while it was copied is at the front, and is left out.
ConsoleHistory::Piece ConsoleHistory::read(uint64_t position, std::span<std::byte> into) const {
    MutexLock lock(mutex_);
    const uint64_t end = ring_->end.load(std::memory_order_acquire);
    position = std::clamp(position, oldest(end), end);
    const size_t size = std::min<uint64_t>(into.size(), end - position);
    copy_out(position, into.first(size));
    std::atomic_thread_fence(std::memory_order_acquire);
    const uint64_t whole = oldest(ring_->writing.load(std::memory_order_relaxed));
    if (whole <= position) return {.position = position, .size = size};
    const size_t spoilt = std::min<uint64_t>(whole - position, size);
    std::copy(into.begin() + static_cast<ptrdiff_t>(spoilt), into.begin() + static_cast<ptrdiff_t>(size),
              into.begin());
    return {.position = position + spoilt, .size = size - spoilt};
}

uint64_t ConsoleHistory::begin() const {
    return oldest(end());
}

uint64_t ConsoleHistory::end() const {
    return ring_->end.load(std::memory_order_acquire);
}

std::string ConsoleHistory::last_lines(size_t count) const {
    std::string text(kSize, '\0');
    text.resize(read(0, std::as_writable_bytes(std::span(text))).size);
    std::erase(text, '\r');
    size_t line_end = text.size();
    if (text.ends_with('\n')) --line_end;  // it ends the last line and begins no other
    for (; count != 0; --count) {
        const size_t before = line_end == 0 ? std::string::npos : text.rfind('\n', line_end - 1);
        if (before == std::string::npos) return text;
        line_end = before;
    }
    return line_end < text.size() ? text.substr(line_end + 1) : std::string();
}

}  // namespace carrel
