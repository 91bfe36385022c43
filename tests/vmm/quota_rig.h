// Guest memory with a quota, and a way to touch it as KVM does.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "tests/catch.h"
#include "vmm/memory/fault_service.h"
#include "vmm/memory/guest_memory.h"

namespace carrel {

inline const SystemClock kQuotaClock;

struct QuotaListener final : MemoryListener {
    void on_memory_near() override { ++near; }
    void on_memory_short() override { ++falls_short; }
    void on_memory_stuck() override { ++stuck; }
    void on_memory_given() override { ++given; }
    void on_memory_retry() override { ++retry; }
    void on_memory_enough() override { ++enough; }
    std::atomic<int> near{0}, falls_short{0}, stuck{0}, given{0}, retry{0}, enough{0};
};

// In a system call, which says EFAULT where the service denies.
struct QuotaRig {
    static constexpr uint64_t kRam = 64 * kMiB;
    explicit QuotaRig(uint64_t limit, std::optional<SwapFile> file = std::nullopt) {
        if (!Userfault::open(opener).ok()) {
            WARN("skipped: userfaultfd isn't permitted here");
            return;
        }
        zero = Fd(::open("/dev/zero", O_RDONLY));
        pagemap = Fd(::open("/proc/self/pagemap", O_RDONLY));
        auto made = GuestMemory::create(RamMap::of_size(kRam), MemoryBacking::kAnonymous);
        memory = std::move(*made);
        REQUIRE(memory->set_quota(opener, limit, std::move(file), kQuotaClock, listener).ok());
    }
    FaultService& service() const { return *memory->quota(); }
    std::byte* at(uint64_t offset) const { return memory->place_of(Gpa{offset}, 1)->data(); }
    // What a write by the kernel into the page comes to: 0, or an errno.
    int touch(uint64_t page) const { return ::read(zero.get(), at(page * kPageSize), 1) == 1 ? 0 : errno; }
    uint64_t resident() const {
        std::vector<uint64_t> entries(kRam / kPageSize);
        const auto first = reinterpret_cast<uintptr_t>(at(0)) / kPageSize;
        REQUIRE(::pread(pagemap.get(), entries.data(), entries.size() * 8, static_cast<off_t>(first * 8)) >
                0);
        uint64_t pages = 0;
        for (const uint64_t entry : entries) pages += entry >> 63;
        return pages;
    }
    template <class Condition>
    static bool soon(const Condition& condition) {
        for (int i = 0; i < 2000 && !condition(); ++i)
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        return condition();
    }

    DirectOpener opener;
    QuotaListener listener;
    Fd zero, pagemap;
    std::unique_ptr<GuestMemory> memory;
};

}  // namespace carrel
