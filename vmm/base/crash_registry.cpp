#include "vmm/base/crash_registry.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>

#include "vmm/base/check.h"
#include "vmm/base/crash_report.h"

namespace carrel::crash_registry {
namespace {

struct Range {
    std::atomic<uintptr_t> base{0};  // 0: free
    std::atomic<size_t> size{0};     // 0 while being filled in
};

constinit std::atomic<int> terminal_fd{-1};
constinit termios terminal_settings{};

struct GuestRange {
    Range range;
    std::atomic<bool> lost{false};
};
constinit std::array<GuestRange, 4096> guest_memory{};
constinit std::atomic<int> guest_memory_alarm{-1};

struct GuardedMapping {
    Range range;
    std::atomic<bool> shrunk{false};
};
constinit std::array<GuardedMapping, 64> guarded_mappings{};

// What is left of `range` from the page of `address` on; 0 where it lies outside.
size_t rest_of(const Range& range, uintptr_t page, uintptr_t address) {
    const uintptr_t base = range.base.load(std::memory_order_acquire);
    const size_t size = range.size.load(std::memory_order_acquire);
    if (base == 0 || address < base || address - base >= size) return 0;
    return size - (page - base);
}

bool map_zeros(uintptr_t start, size_t size, int protection) {
    void* const at = reinterpret_cast<void*>(start);
    return ::mmap(at, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED;
}

// 2 MiB at once, because a piece of a huge page can't be mapped over.
bool replace_guest_memory(uintptr_t address) {
    constexpr uintptr_t kChunk = uintptr_t{2} * 1024 * 1024;
    for (GuestRange& guest : guest_memory) {
        const uintptr_t base = guest.range.base.load(std::memory_order_acquire);
        const size_t rest = rest_of(guest.range, address, address);
        if (rest == 0) continue;
        const uintptr_t chunk = base + (address - base) / kChunk * kChunk;
        const size_t size = std::min<size_t>(kChunk, rest + (address - chunk));
        guest.lost.store(true, std::memory_order_release);
        const uint64_t one = 1;
        [[maybe_unused]] const auto told = ::write(guest_memory_alarm.load(), &one, sizeof one);
        return map_zeros(chunk, size, PROT_READ | PROT_WRITE);
    }
    return false;
}

bool replace_guarded_mapping(uintptr_t address) {
    constexpr uintptr_t kPageMask = 4095;
    const uintptr_t page = address & ~kPageMask;
    for (GuardedMapping& mapping : guarded_mappings) {
        const size_t rest = rest_of(mapping.range, page, address);
        if (rest == 0) continue;
        mapping.shrunk.store(true, std::memory_order_release);
        // All that follows at once: what comes after the new end is gone too, and one signal is enough.
        return map_zeros(page, rest, PROT_READ);
    }
    return false;
}

// As if there were no handler, but for the terminal and a line on what happened.
void die_of(int signal, siginfo_t* info, void* context) {
    restore_terminal();
    tell_crash(signal, *info, context);
    ::signal(signal, SIG_DFL);
    sigset_t only;
    ::sigemptyset(&only);
    ::sigaddset(&only, signal);
    ::pthread_sigmask(SIG_UNBLOCK, &only, nullptr);
    ::raise(signal);
    ::_exit(128 + signal);  // the first process of a namespace outlives its own signals
}

void sigbus_handler(int signal, siginfo_t* info, void* context) {
    const int saved_errno = errno;
    const bool from_kernel = info->si_code > 0;
    if (!from_kernel || !handle_sigbus(info->si_addr)) die_of(signal, info, context);
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
    for (GuestRange& guest : guest_memory) {
        uintptr_t free = 0;
        if (!guest.range.base.compare_exchange_strong(free, address)) continue;
        guest.lost.store(false);
        guest.range.size.store(size, std::memory_order_release);
        return;
    }
    CHECK_MSG(false, "too many guest memory ranges");
}

void remove_guest_memory(const void* base) {
    for (GuestRange& guest : guest_memory) {
        if (guest.range.base.load() != reinterpret_cast<uintptr_t>(base)) continue;
        guest.range.size.store(0);
        guest.range.base.store(0);
        return;
    }
}

bool guest_memory_lost(const void* base) {
    for (const GuestRange& guest : guest_memory) {
        if (guest.range.base.load() == reinterpret_cast<uintptr_t>(base)) return guest.lost.load();
    }
    return false;
}

void set_guest_memory_alarm(int eventfd) {
    guest_memory_alarm.store(eventfd, std::memory_order_release);
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
    const auto a = reinterpret_cast<uintptr_t>(address);
    return replace_guarded_mapping(a) || replace_guest_memory(a);
}

void install_sigbus_handler() {
    struct sigaction action {};
    action.sa_sigaction = sigbus_handler;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    ::sigemptyset(&action.sa_mask);
    ::sigaction(SIGBUS, &action, nullptr);
}

void install_crash_handlers() {
    struct sigaction action {};
    action.sa_sigaction = die_of;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    ::sigemptyset(&action.sa_mask);
    const auto handle = [&action](int number) {
        struct sigaction now {};
        if (::sigaction(number, nullptr, &now) == 0 && now.sa_handler == SIG_DFL)
            ::sigaction(number, &action, nullptr);
    };
    for (const int number : {SIGSEGV, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS, SIGQUIT, SIGXCPU, SIGXFSZ,
                             SIGALRM, SIGVTALRM, SIGPROF, SIGUSR1, SIGUSR2, SIGIO, SIGPWR, SIGSTKFLT}) {
        handle(number);
    }
    for (int number = SIGRTMIN; number <= SIGRTMAX; ++number) handle(number);
}

}  // namespace carrel::crash_registry
