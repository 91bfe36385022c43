// FaultService's part for ranges: our own threads use them, or give them back.
#include <algorithm>

#include "vmm/memory/fault_service.h"

namespace carrel {

std::optional<FaultService::Part> FaultService::next_part(std::span<const std::byte>& range) const {
    if (range.empty()) return std::nullopt;
    const uint64_t offset = reinterpret_cast<uintptr_t>(range.data()) % kChunkSize;
    const uint64_t length = std::min<uint64_t>(range.size(), kChunkSize - offset);
    const uint64_t first = offset / kPageSize;
    const uint64_t end = (offset + length + kPageSize - 1) / kPageSize;
    const Part part{mapping_.chunk_of(range.data()), first, end - first};
    range = range.subspan(length);
    return part;
}

bool FaultService::acquire(std::span<const std::byte> range) {
    bool due = false;
    bool all = true;
    {
        MutexLock lock(mutex_);
        auto rest = range;
        size_t pinned = 0;
        for (; all; ++pinned) {
            const auto part = next_part(rest);
            if (!part) break;
            all = make_present(part->chunk, part->first, part->count);
            if (all) table_.pin(part->chunk);
        }
        wanted_ = all ? 0 : range.size() / kPageSize + 1;
        if (!all) refuse(mapping_.chunk_of(range.data()), pinned - 1);
        due = notes_ != 0;
    }
    if (due) tell();
    return all;
}

// The chunks that were pinned before the one that can't be had.
void FaultService::refuse(size_t first, size_t pinned) {
    for (size_t chunk = first; chunk < first + pinned; ++chunk)
        if (table_.unpin(chunk)) settle(chunk);
    refused_ = true;
    fall_short();
}

bool FaultService::make_present(size_t chunk, uint64_t first, uint64_t count) {
    const ChunkState beneath = table_.beneath(chunk);
    if (beneath == ChunkState::kGranted) return true;
    if (is_untouched(chunk) && give_chunk(chunk)) {
        forget_denials(chunk);
        return true;
    }
    if (table_.state(chunk) == ChunkState::kDenied) return false;
    bool all = true;
    for (uint64_t page = first; page < first + count; ++page) {
        if (denied(chunk, page)) return false;
        const Brought brought = bring(chunk, page, kReserve);
        if (brought == Brought::kNoRoom) return false;
        if (brought == Brought::kThere) continue;
        want_fetched(chunk, page);  // and the others, while it is at it
        all = false;
    }
    return all;
}

void FaultService::let_go(std::span<const std::byte> range) {
    bool due = false;
    {
        MutexLock lock(mutex_);
        while (const auto part = next_part(range))
            if (table_.unpin(part->chunk)) settle(part->chunk);
        if (!out_trouble_.empty()) work_.notify_all();  // it may leave now
        due = notes_ != 0;
    }
    if (due) tell();
}

// --- giving back ---

bool FaultService::discard(std::span<std::byte> range) {
    bool done = true;
    bool due = false;
    {
        MutexLock lock(mutex_);
        std::span<const std::byte> rest = range;
        while (const auto part = next_part(rest))
            done = discard_pages(part->chunk, part->first, part->count) && done;
        due = notes_ != 0;
    }
    if (due) tell();
    return done;
}

// Armed before anything of it is dropped, and released after: between the two nobody can have it back unseen.
bool FaultService::discard_pages(size_t chunk, uint64_t first, uint64_t count) {
    drop_swapped(chunk, first, count);
    if (!table_.holds_pages(chunk)) return true;
    const ChunkState state = table_.beneath(chunk);
    const auto pages = mapping_.pages(chunk, first, count);
    if (table_.pinned(chunk)) {
        // One of ours is using it, or a page beside it, and must find it when it does: its content goes, what
        // is charged stays until it is let go.
        table_.owe(chunk);
        return ChunkMapping::drop(pages);
    }
    if (state == ChunkState::kGranted && !mapping_.arm(chunk)) return false;
    if (!ChunkMapping::drop(pages)) return false;
    const bool all = count == kChunkPages && state != ChunkState::kLeaving;
    release(all ? table_.take_all(chunk) : table_.take_pages(chunk, first, count));
    return true;
}

// Some pages of it went back while it was pinned; those that nobody has touched since are charged for
// nothing.
void FaultService::settle(size_t chunk) {
    if (!table_.holds_pages(chunk)) return;
    if (table_.beneath(chunk) == ChunkState::kGranted && !mapping_.arm(chunk)) return;
    const auto present = mapping_.present(chunk);
    uint64_t gone = table_.take_pages(chunk, 0, 0);
    for (uint64_t page = 0; page < kChunkPages; ++page) {
        if (!present.test(page) && !is_aside(chunk, page) && table_.holds_pages(chunk))
            gone += table_.take_pages(chunk, page, 1);
    }
    release(gone);
}

void FaultService::release(uint64_t pages) {
    account_.release(pages);
    if (account_.charged() < account_.limit() / 4 * 3) near_ = false;
    allow_all();
    if (account_.left() != 0) answer_open();
}

void FaultService::set_limit(uint64_t bytes) {
    bool due = false;
    {
        MutexLock lock(mutex_);
        account_.set_limit(bytes / kPageSize);
        near_ = false;
        allow_all();
        answer_open();
        work_.notify_all();
        due = notes_ != 0;
    }
    if (due) tell();
}

MemoryReport FaultService::report() const {
    MutexLock lock(mutex_);
    MemoryReport report{account_.limit() * kPageSize,
                        account_.charged() * kPageSize,
                        account_.peak() * kPageSize,
                        denied_ever_,
                        near_,
                        held_,
                        stuck_,
                        {}};
    if (index_)
        report.swap = {file_->size(), index_->bytes(), index_->pages() * kPageSize,
                       ins_,          outs_,           in_trouble_.empty() ? out_trouble_ : in_trouble_};
    return report;
}

}  // namespace carrel
