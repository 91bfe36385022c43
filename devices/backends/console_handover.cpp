#include "devices/backends/console_handover.h"

#include <algorithm>
#include <cstring>

namespace carrel {

void ConsoleHandover::write_first(std::span<const std::byte> bytes) {
    MutexLock lock(mutex_);
    if (stage_ != Stage::kFirstOnly) return;
    target_.write(bytes);
    const size_t kept = std::min(bytes.size(), kRemembered - size_);
    std::memcpy(&said_[size_], bytes.data(), kept);
    size_ += kept;
}

void ConsoleHandover::write_second(std::span<const std::byte> bytes) {
    MutexLock lock(mutex_);
    if (stage_ == Stage::kFirstOnly && !bytes.empty()) stage_ = Stage::kComparing;
    if (stage_ == Stage::kComparing) {
        bytes = bytes.subspan(leave_out(bytes));
        if (same_ == size_ || !bytes.empty()) end_comparing();
    }
    if (!bytes.empty()) target_.write(bytes);
}

// How many bytes from the front are what the first has said, too.
size_t ConsoleHandover::leave_out(std::span<const std::byte> bytes) {
    size_t count = 0;
    while (count < bytes.size() && same_ < size_ && bytes[count] == said_[same_]) {
        ++count;
        ++same_;
        if (said_[same_ - 1] == std::byte{'\n'}) line_ = same_;
    }
    return count;
}

// A line that only began the same is another line.
void ConsoleHandover::end_comparing() {
    stage_ = Stage::kSecondOnly;
    if (same_ < size_ && line_ < same_) target_.write({&said_[line_], same_ - line_});
    said_.reset();
}

}  // namespace carrel
