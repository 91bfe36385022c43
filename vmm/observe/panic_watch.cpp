#include "vmm/observe/panic_watch.h"

#include <algorithm>
#include <cstring>

namespace carrel::observe {
namespace {

// kernel/panic.c
constexpr std::string_view kPanic = "Kernel panic - not syncing";
constexpr std::string_view kPanicEnd = "---[ end Kernel panic - not syncing";
// kernel/reboot.c: "reboot: Restarting system", "reboot: Power down", "reboot: System halted"
constexpr std::string_view kOrderlyEnd = "reboot: ";

}  // namespace

void PanicWatch::write(std::span<const std::byte> bytes) {
    std::string_view rest(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    while (!rest.empty()) {
        const size_t end = rest.find('\n');
        const size_t length = std::min(end, rest.size());
        for (size_t at = 0; at < length; at += kOverlap)
            add(rest.substr(at, std::min(kOverlap, length - at)));
        if (end == std::string_view::npos) return;
        end_line();
        rest.remove_prefix(end + 1);
    }
}

// At most kOverlap bytes. A line too long to keep is looked at in parts that overlap.
void PanicWatch::add(std::string_view piece) {
    if (piece.size() > kLine - size_) {
        examine();
        const size_t kept = std::min(size_, kOverlap);
        std::memmove(line_.data(), &line_[size_ - kept], kept);
        size_ = kept;
        cut_ = true;
    }
    std::memcpy(&line_[size_], piece.data(), piece.size());
    size_ += piece.size();
}

void PanicWatch::end_line() {
    examine();
    size_ = 0;
    cut_ = false;
}

void PanicWatch::examine() {
    std::string_view line(line_.data(), size_);
    while (line.ends_with('\r')) line.remove_suffix(1);
    if (!cut_) {
        const KernelText text = parse_kernel_line(line);
        stamps_used_ = stamps_used_ || (text.timestamped && !no_stamps_);
        examine_text(text);
    }
    for (const std::string_view phrase : {kPanic, kPanicEnd, kOrderlyEnd}) {
        if (line.find(phrase) == std::string_view::npos) continue;
        if (const auto text = find_stamped_text(line, phrase)) examine_text({*text, true});
    }
    decide();
}

void PanicWatch::examine_text(const KernelText& line) {
    if (line.text.starts_with(kPanic)) note_panic(line.text, line.timestamped);
    if (line.text.starts_with(kPanicEnd) && panic_line_ && line.timestamped == panic_stamped_)
        end_line_ = true;
    if (line.text.starts_with(kOrderlyEnd) && !end_line_) panic_line_ = false;
}

void PanicWatch::note_panic(std::string_view text, bool timestamped) {
    if (panic_line_ && panic_stamped_) return;  // the first one is the cause
    panic_line_ = true;
    panic_stamped_ = timestamped;
    MutexLock lock(mutex_);
    message_size_ = text.copy(message_.data(), message_.size());
}

void PanicWatch::decide() {
    const bool believed = panic_line_ && (panic_stamped_ || !stamps_used_);
    seen_.store(believed, std::memory_order_release);
    ended_.store(believed && end_line_, std::memory_order_release);
}

std::string PanicWatch::message() const {
    if (!panic_line_seen()) return {};
    MutexLock lock(mutex_);
    return {message_.data(), message_size_};
}

}  // namespace carrel::observe
