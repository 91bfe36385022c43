#include "vmm/base/crash_registry.h"

#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
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

struct GuardedMapping {
    Range range;
    std::atomic<bool> shrunk{false};
};
constinit std::array<GuardedMapping, 64> guarded_mappings{};
constinit std::atomic<GuestMemorySigbus> guest_memory_hook{nullptr};

// What is left of `range` from the page of `address` on; 0 where it lies outside.
size_t rest_of(const Range& range, uintptr_t page, uintptr_t address) {
    const uintptr_t base = range.base.load(std::memory_order_acquire);
    const size_t size = range.size.load(std::memory_order_acquire);
    if (base == 0 || address < base || address - base >= size) return 0;
    return size - (page - base);
}

void sigbus_handler(int signal, siginfo_t* info, void*) {
    const int saved_errno = errno;
    const bool from_kernel = info->si_code > 0;
    bool handled = from_kernel && handle_sigbus(info->si_addr);
    if (!handled && from_kernel && is_guest_memory(info->si_addr)) {
        const GuestMemorySigbus hook = guest_memory_hook.load(std::memory_order_acquire);
        handled = hook != nullptr && hook(info->si_addr);
    }
    if (!handled) {
        restore_terminal();
        ::signal(signal, SIG_DFL);
        ::raise(signal);  // pending until we return: then it ends the process
    }
    errno = saved_errno;
}

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

size_t add_guarded_mapping(void* base, size_t size) {
    for (size_t slot = 0; slot < guarded_mappings.size(); ++slot) {
        GuardedMapping& mapping = guarded_mappings[slot];
        uintptr_t free = 0;
        if (!mapping.range.base.compare_exchange_strong(free, reinterpret_cast<uintptr_t>(base))) continue;
        mapping.shrunk.store(false);
        mapping.range.size.store(size, std::memory_order_release);
        return slot;
    }
    CHECK_MSG(false, "too many guarded file mappings");
    return 0;
}

void remove_guarded_mapping(size_t slot) {
    guarded_mappings[slot].range.size.store(0);
    guarded_mappings[slot].range.base.store(0);
}

bool guarded_mapping_shrunk(size_t slot) {
    return guarded_mappings[slot].shrunk.load(std::memory_order_acquire);
}

bool handle_sigbus(void* address) {
    constexpr uintptr_t kPageMask = 4095;
    const auto a = reinterpret_cast<uintptr_t>(address);
    auto* const page = reinterpret_cast<void*>(a & ~kPageMask);
    for (GuardedMapping& mapping : guarded_mappings) {
        const size_t rest = rest_of(mapping.range, a & ~kPageMask, a);
        if (rest == 0) continue;
        mapping.shrunk.store(true, std::memory_order_release);
        // All that follows at once: what comes after the new end is gone too, and one signal is enough.
        return ::mmap(page, rest, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED;
    }
    return false;
}

void on_guest_memory_sigbus(GuestMemorySigbus hook) {
    guest_memory_hook.store(hook, std::memory_order_release);
}

void install_sigbus_handler() {
    struct sigaction action {};
    action.sa_sigaction = sigbus_handler;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    ::sigemptyset(&action.sa_mask);
    ::sigaction(SIGBUS, &action, nullptr);
}

}  // namespace carrel::crash_registry
