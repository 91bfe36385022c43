// ChunkMapping: what a quota does to the address space of a guest's RAM, chunk by chunk.
#pragma once

#include <bitset>
#include <cstdint>
#include <span>

#include "vmm/base/mapping.h"
#include "vmm/base/result.h"
#include "vmm/memory/chunk_table.h"
#include "vmm/memory/userfault.h"

namespace carrel {

// Never touches RAM. One thread at a time, but for read() and wake() of its userfault. Each call that says
// false has changed nothing: the kernel refused, most likely for want of mappings (vm.max_map_count), which
// is why they are counted before (MappingBudget).
//
// How many mappings: neighbours of one kind are one. A chunk is all of one kind, so there is at most one for
// each, and two more for each page that is denied alone.
class ChunkMapping {
  public:
    // `ram`: whole chunks, aligned to their size, of which nothing has been touched. It outlives this.
    static Result<ChunkMapping> create(Opener& opener, std::span<std::byte> ram);

    const Userfault& userfault() const { return userfault_; }
    // Pages that may be denied alone, each of which costs two mappings.
    static constexpr size_t kMostPageDenials = 64;
    // What RAM of this size may come to: one a chunk, those pages, and a few beside it.
    static constexpr uint64_t most_mappings(uint64_t ram) {
        return ram / kChunkSize + 2 * kMostPageDenials + 12;
    }

    size_t chunks() const { return ram_.size() / kChunkSize; }
    size_t chunk_of(const std::byte* address) const {
        return static_cast<size_t>(address - ram_.data()) / kChunkSize;
    }
    std::span<std::byte> chunk(size_t number) const { return ram_.subspan(number * kChunkSize, kChunkSize); }
    std::span<std::byte> pages(size_t number, uint64_t first, uint64_t count) const {
        return chunk(number).subspan(first * kPageSize, count * kPageSize);
    }

    // Ordinary memory in place of an armed chunk, one huge page where the host has one. Whatever was in it is
    // gone.
    bool give(size_t number);
    // The other way: a touch of a page of the chunk that is missing comes to us. Before anything of it is
    // dropped, or somebody could have the page back without our knowing.
    bool arm(size_t number);
    // These pages are missing afterwards. They are zeros to who touches them again.
    static bool drop(std::span<std::byte> pages);
    // Nobody can touch them; whoever waits is told so (KVM_RUN fails with EFAULT).
    bool deny(std::span<std::byte> pages);
    static bool allow(std::span<std::byte> pages);
    // Which pages of an armed chunk are there, or swapped out by the host.
    std::bitset<kChunkPages> present(size_t number) const { return present_in(chunk(number)); }

    // Moves what there is of an armed chunk aside, where only we know it: nobody changes it any more, and who
    // touches it comes to us. One chunk at a time; the one before is gone.
    bool set_aside(size_t number);
    // Where it is then, while this lives. Not watched: only what is there may be touched.
    std::span<std::byte> aside() const { return aside_.bytes(); }
    std::bitset<kChunkPages> present_aside() const { return present_in(aside()); }

  private:
    ChunkMapping(Userfault userfault, Fd pagemap, std::span<std::byte> ram)
        : userfault_(std::move(userfault)), pagemap_(std::move(pagemap)), ram_(ram) {}
    static Mapping map_chunks(size_t count, int protection);
    bool stock_up();
    std::bitset<kChunkPages> present_in(std::span<const std::byte> chunk) const;

    Userfault userfault_;
    Fd pagemap_;  // of this process
    std::span<std::byte> ram_;
    Mapping aside_;    // one chunk
    Mapping nursery_;  // untouched memory of the right kind, aligned, from which give() cuts its chunks
};

}  // namespace carrel
