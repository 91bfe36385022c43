// PanicWatch: knows from a guest's console that its Linux kernel has panicked.
#pragma once

#include <array>
#include <atomic>
#include <string>
#include <string_view>

#include "vmm/base/byte_sink.h"
#include "vmm/base/mutex.h"
#include "vmm/observe/kernel_line.h"

namespace carrel::observe {

// A kernel that panics prints "Kernel panic - not syncing: …". Then it resets the machine (panic=N), or
// prints
// "---[ end Kernel panic - not syncing: …" and spins (panic=0). So a panic is
//
//   panic_line_seen() and a reset follows,   or   panic_ended().
//
// A program may write the same words. Where the kernel stamps its lines with the time, only stamped ones
// count; a line without a stamp that was believed is withdrawn as soon as a stamped one is seen. A panic line
// is also withdrawn by the kernel's "reboot: …", which it prints when it shuts down in order and never after
// a panic. A program that prints a time stamp too deceives us; so does dmesg, the other way round, on a
// console with printk.time=0.
//
// write() never allocates; calls of it follow one another (whoever feeds it holds a mutex). The rest: any
// thread.
class PanicWatch final : public ByteSink {
  public:
    void write(std::span<const std::byte> bytes) override EXCLUDES(mutex_);
    // The kernel is told printk.time=0: its first lines have stamps all the same where an early console
    // prints them before the kernel has read that, so stamps prove nothing. Before the first write().
    void expect_no_stamps() { no_stamps_ = true; }

    bool panic_line_seen() const { return seen_.load(std::memory_order_acquire); }
    // True once the whole line has passed, so that whoever ends the machine then cuts no output off.
    bool panic_ended() const { return ended_.load(std::memory_order_acquire); }
    // "Kernel panic - not syncing: VFS: Unable to mount root fs"; cut at 256 bytes, empty without a panic.
    std::string message() const EXCLUDES(mutex_);

  private:
    static constexpr size_t kLine = 512;     // what is kept of a line
    static constexpr size_t kOverlap = 128;  // of a longer one, what is looked at with its next part

    void add(std::string_view piece);
    void end_line() EXCLUDES(mutex_);
    void examine() EXCLUDES(mutex_);
    void examine_text(const KernelText& line) EXCLUDES(mutex_);
    void note_panic(std::string_view text, bool timestamped) EXCLUDES(mutex_);
    void decide();

    std::array<char, kLine> line_{};
    size_t size_ = 0;
    bool cut_ = false;  // line_ doesn't begin where the line does

    bool no_stamps_ = false;
    bool stamps_used_ = false;
    bool panic_line_ = false;
    bool panic_stamped_ = false;
    bool end_line_ = false;
    std::atomic<bool> seen_{false};
    std::atomic<bool> ended_{false};

    mutable Mutex mutex_;
    std::array<char, 256> message_ GUARDED_BY(mutex_){};
    size_t message_size_ GUARDED_BY(mutex_) = 0;
};

}  // namespace carrel::observe
