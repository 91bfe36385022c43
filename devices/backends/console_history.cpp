#include "devices/backends/console_history.h"

#include <algorithm>
#include <cstring>

namespace carrel {

void ConsoleHistory::write(std::span<const std::byte> bytes) {
    MutexLock lock(mutex_);
    if (bytes.size() > kSize) {
        end_ += bytes.size() - kSize;
        bytes = bytes.last(kSize);
    }
    const size_t start = end_ % kSize;
    const size_t before_wrap = std::min(bytes.size(), kSize - start);
    std::copy_n(bytes.begin(), before_wrap, &bytes_[start]);
    std::copy(bytes.begin() + static_cast<ptrdiff_t>(before_wrap), bytes.end(), &bytes_[0]);
    end_ += bytes.size();
}

void ConsoleHistory::copy_out(uint64_t position, std::span<std::byte> into) const {
    const size_t start = position % kSize;
    const size_t before_wrap = std::min(into.size(), kSize - start);
    std::copy_n(&bytes_[start], before_wrap, into.begin());
    std::copy_n(&bytes_[0], into.size() - before_wrap, into.begin() + static_cast<ptrdiff_t>(before_wrap));
}

ConsoleHistory::Piece ConsoleHistory::read(uint64_t position, std::span<std::byte> into) const {
    MutexLock lock(mutex_);
    position = std::clamp(position, oldest(), end_);
    const size_t size = std::min<uint64_t>(into.size(), end_ - position);
    copy_out(position, into.first(size));
    return {.position = position, .size = size};
}

uint64_t ConsoleHistory::begin() const {
    MutexLock lock(mutex_);
    return oldest();
}

uint64_t ConsoleHistory::end() const {
    MutexLock lock(mutex_);
    return end_;
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
