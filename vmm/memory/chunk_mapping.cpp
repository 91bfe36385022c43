#include "vmm/memory/chunk_mapping.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "vmm/base/check.h"

namespace carrel {
namespace {

// One mmap and its advice for so many chunks: then a grant is a mremap and a wake-up.
constexpr size_t kNurseryChunks = 64;

}  // namespace

// KVM-FACTS.md: a range that is advised MADV_HUGEPAGE under userfaultfd costs three times plain pages, so
// what is armed is advised against them, and what is given is a mapping of another kind.
Result<ChunkMapping> ChunkMapping::create(Opener& opener, std::span<std::byte> ram) {
    CHECK(reinterpret_cast<uintptr_t>(ram.data()) % kChunkSize == 0 && ram.size() % kChunkSize == 0);
    TRY_ASSIGN(Userfault userfault, Userfault::open(opener));
    TRY_ASSIGN(Fd pagemap, opener.open("/proc/self/pagemap", O_RDONLY));
    ChunkMapping mapping(std::move(userfault), std::move(pagemap), ram);
    ::madvise(ram.data(), ram.size(), MADV_NOHUGEPAGE);  // a kernel without huge pages refuses: good, too
    if (!mapping.userfault_.watch(ram)) return os_error(errno, "userfaultfd refuses the guest's memory");
    return mapping;
}

// Aligned; not valid: the kernel refused.
Mapping ChunkMapping::map_chunks(size_t count, int protection) {
    const size_t size = count * kChunkSize;
    void* const room =
        ::mmap(nullptr, size + kChunkSize, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (room == MAP_FAILED) return {};
    auto* const start = static_cast<std::byte*>(room);
    const size_t skip = (kChunkSize - reinterpret_cast<uintptr_t>(start) % kChunkSize) % kChunkSize;
    if (skip != 0) ::munmap(start, skip);
    if (skip != kChunkSize) ::munmap(start + skip + size, kChunkSize - skip);
    return Mapping::adopt(start + skip, size);
}

// The same flags as the RAM's other mappings (GuestMemory::create), so that neighbours become one.
bool ChunkMapping::stock_up() {
    Mapping fresh = map_chunks(kNurseryChunks, PROT_READ | PROT_WRITE);
    if (!fresh.valid()) return false;
    ::madvise(fresh.data(), fresh.size(), MADV_HUGEPAGE);
    ::madvise(fresh.data(), fresh.size(), MADV_DONTDUMP);
    ::madvise(fresh.data(), fresh.size(), MADV_DONTFORK);
    nursery_ = std::move(fresh);
    return true;
}

// KVM-FACTS.md, "the remap grant". The piece is untouched, so it takes its new place's address for its own
// and becomes one with its neighbours.
bool ChunkMapping::give(size_t number) {
    if (!nursery_.valid() && !stock_up()) return false;
    const auto left = nursery_.bytes();
    const auto to = chunk(number);
    if (::mremap(left.data(), kChunkSize, kChunkSize, MREMAP_MAYMOVE | MREMAP_FIXED, to.data()) == MAP_FAILED)
        return false;
    (void)nursery_.release();
    if (left.size() > kChunkSize)
        nursery_ = Mapping::adopt(left.data() + kChunkSize, left.size() - kChunkSize);
    userfault_.wake(to);
    return true;
}

bool ChunkMapping::arm(size_t number) {
    const auto range = chunk(number);
    if (!userfault_.watch(range)) return false;
    ::madvise(range.data(), range.size(), MADV_NOHUGEPAGE);
    return true;
}

bool ChunkMapping::drop(std::span<std::byte> pages) {
    return ::madvise(pages.data(), pages.size(), MADV_DONTNEED) == 0;
}

bool ChunkMapping::deny(std::span<std::byte> pages) {
    if (::mprotect(pages.data(), pages.size(), PROT_NONE) != 0) return false;
    userfault_.wake(pages);
    return true;
}

bool ChunkMapping::allow(std::span<std::byte> pages) {
    return ::mprotect(pages.data(), pages.size(), PROT_READ | PROT_WRITE) == 0;
}

// MREMAP_DONTUNMAP (Linux 5.7) moves the pages and leaves their place mapped and watched; what they are now
// mapped by isn't (userfaultfd without UFFD_FEATURE_EVENT_REMAP lets go of what is moved). A huge page stays
// one.
bool ChunkMapping::set_aside(size_t number) {
    if (!aside_.valid()) aside_ = map_chunks(1, PROT_NONE);
    return aside_.valid() &&
           ::mremap(chunk(number).data(), kChunkSize, kChunkSize,
                    MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, aside_.data()) != MAP_FAILED;
}

// Not by mincore(2): what the host has swapped out, it says is missing, and it would come back unseen.
std::bitset<kChunkPages> ChunkMapping::present_in(std::span<const std::byte> chunk) const {
    constexpr uint64_t kThere = uint64_t{1} << 63 | uint64_t{1}
                                                        << 62;  // present, swapped: proc_pid_pagemap(5)
    std::array<uint64_t, kChunkPages> entries;
    const auto first = reinterpret_cast<uintptr_t>(chunk.data()) / kPageSize;
    const ssize_t got = ::pread(pagemap_.get(), entries.data(), sizeof entries,
                                static_cast<off_t>(first * sizeof entries[0]));
    std::bitset<kChunkPages> pages;
    if (got != static_cast<ssize_t>(sizeof entries)) return pages.set();  // for all that we know
    for (size_t page = 0; page < kChunkPages; ++page) pages.set(page, (entries[page] & kThere) != 0);
    return pages;
}

}  // namespace carrel
