#include "vmm/base/crash_registry.h"

#include <array>
#include <atomic>
#include <cstdint>

#include "vmm/base/check.h"

namespace carrel::crash_registry {
namespace {

struct Range {
    std::atomic<uintptr_t> base{0};  // 0: free
    std::atomic<size_t> size{0};     // 0 while being filled in
};

constinit std::atomic<int> terminal_fd{-1};
constinit termios terminal_settings{};
constinit std::array<Range, 256> guest_memory{};

}  // namespace

void remember_terminal(int fd, const termios& settings) {
    terminal_settings = settings;
    terminal_fd.store(fd, std::memory_order_release);
}

void forget_terminal() {
    terminal_fd.store(-1, std::memory_order_release);
}

void restore_terminal() {
    const int fd = terminal_fd.load(std::memory_order_acquire);
    if (fd >= 0) ::tcsetattr(fd, TCSANOW, &terminal_settings);
}

void add_guest_memory(const void* base, size_t size) {
    const auto address = reinterpret_cast<uintptr_t>(base);
    for (Range& range : guest_memory) {
        uintptr_t free = 0;
        if (range.base.compare_exchange_strong(free, address)) {
            range.size.store(size, std::memory_order_release);
            return;
        }
    }
    CHECK_MSG(false, "too many guest memory ranges");
}

void remove_guest_memory(const void* base) {
    for (Range& range : guest_memory) {
        if (range.base.load() != reinterpret_cast<uintptr_t>(base)) continue;
        range.size.store(0);
        range.base.store(0);
        return;
    }
}

bool is_guest_memory(const void* address) {
    const auto a = reinterpret_cast<uintptr_t>(address);
    for (const Range& range : guest_memory) {
        const uintptr_t base = range.base.load(std::memory_order_acquire);
        if (base != 0 && a >= base && a - base < range.size.load(std::memory_order_acquire)) return true;
    }
    return false;
}

}  // namespace carrel::crash_registry
